import { createRoute, type OpenAPIHono, z } from "@hono/zod-openapi";
import { timestamp } from "../../../core/clock.ts";
import { currentContext } from "../../../core/context.ts";
import type { HttpEnv } from "../../../core/http/env.ts";
import type { Host } from "../../../core/plugin.ts";
import { inSpan } from "../../../core/trace.ts";
import type { Landed } from "../log/draft.ts";
import type { EventLog } from "../log/event_log.ts";
import { type Author, draftAuthored, withoutForeign } from "./authored_event.ts";
import { draftBatch, maxBatchBytes, maxBatchEvents, readBatch } from "./batch_body.ts";
import { cloudEventBody, readCloudEvent } from "./cloud_event_body.ts";
import { cloudEventsType, mediaTypeOf } from "./media_type.ts";
import { publishBody, readPublishBody } from "./publish_body.ts";

/** What a batch is answered with. */
export const batchAnswer = z.object({
  count: z.int().describe("Events of the batch; all of them are in the log now"),
  first_seq: z.int().describe("Lowest sequence at which one of them stands"),
  last_seq: z.int().describe(
    "Highest; without duplicates the events stand from first to last, in their order",
  ),
  duplicates: z.int().describe("How many of them had been stored before"),
}).openapi("StoredBatch");

/** Answers of a route that takes batches, for its description. */
export const batchResponses = {
  200: {
    description: "All of these events were stored before",
    content: { "application/json": { schema: batchAnswer } },
  },
  201: { description: "Stored, all of them", content: { "application/json": { schema: batchAnswer } } },
  409: {
    description: "Events conflict with what is stored; `errors` names each by `index`. None was stored",
  },
  413: { description: `More than ${maxBatchEvents} events or 8 MB` },
  422: { description: "Events are not valid; `errors` names each by `index`. None was stored" },
  503: { description: "The storage is not available; try again with the same ids" },
  507: { description: "The disk is full; nothing was stored" },
} as const;

const arrayOf = (schema: z.ZodType) => ({ schema: z.array(schema).min(1).max(maxBatchEvents) });

const batchRoute = createRoute({
  method: "post",
  path: "/api/events/batch",
  summary: "Publish up to 1000 events, all or none; answered when they are on disk",
  security: [{ key: ["write"] }],
  "x-max-body": maxBatchBytes,
  request: {
    body: {
      required: true,
      content: {
        "application/json": arrayOf(publishBody),
        "application/x-ndjson": { schema: publishBody },
        "application/jsonl": { schema: publishBody },
        [cloudEventsType]: arrayOf(cloudEventBody),
      },
    },
  },
  responses: batchResponses,
});

/** `POST /api/events/batch`. */
export function addBatchRoute(
  http: OpenAPIHono<HttpEnv>,
  { log, host }: { log: EventLog; host: Host },
): void {
  http.openAPIRegistry.registerPath(batchRoute);
  http.post(batchRoute.path, async (c) => {
    const type = mediaTypeOf(c.req.header("content-type"), acceptedTypes);
    const read = type === cloudEventsType ? readCloudEvent : readPublishBody;
    const values = await readBatch(c, isLines(type) ? "lines" : "array");
    const { principal, correlationId } = c.env;
    const call = currentContext()!; // every request has one
    const stored = await inSpan("publish batch", { call, kind: "producer" }, async () => {
      const author: Author = {
        nodeId: host.node.id,
        principal,
        correlationId,
        traceparent: currentContext()?.traceparent,
        time: timestamp(host.clock),
      };
      const drafts = await draftBatch(
        values,
        (value) => draftAuthored(read(value, host.node.id), { log, author }),
      );
      return await log.acceptAll(drafts);
    }).catch((error) => Promise.reject(principal?.projects ? withoutForeign(error) : error));
    return c.json(...answerOf(stored));
  });
}

/** Types of a body with an event on each line. */
export const lineTypes = ["application/x-ndjson", "application/jsonl"] as const;
const acceptedTypes = ["application/json", ...lineTypes, cloudEventsType] as const;

/** Whether a body of that type holds an event on each line. */
export function isLines(type: string): boolean {
  return (lineTypes as readonly string[]).includes(type);
}

/** The answer to a stored batch, with its status. */
export function answerOf(stored: readonly Landed[]): [z.output<typeof batchAnswer>, 200 | 201] {
  let first = Infinity;
  let last = 0;
  let duplicates = 0;
  for (const { seq, duplicate } of stored) {
    if (seq < first) first = seq;
    if (seq > last) last = seq;
    if (duplicate) duplicates++;
  }
  const answer = { count: stored.length, first_seq: first, last_seq: last, duplicates };
  return [answer, duplicates === stored.length ? 200 : 201];
}
