import { createRoute, type OpenAPIHono, z } from "@hono/zod-openapi";
import type { Context } from "hono";
import { timestamp } from "../../../core/clock.ts";
import { currentContext } from "../../../core/context.ts";
import type { HttpEnv } from "../../../core/http/env.ts";
import type { Host } from "../../../core/plugin.ts";
import { inSpan } from "../../../core/trace.ts";
import type { Landed } from "../log/draft.ts";
import type { EventLog } from "../log/event_log.ts";
import { type AuthoredEvent, draftAuthored, withoutForeign } from "./authored_event.ts";
import { parseJson } from "./batch_body.ts";
import { cloudEventBody, readBinaryCloudEvent, readCloudEvent } from "./cloud_event_body.ts";
import { cloudEventType, mediaTypeOf } from "./media_type.ts";
import { publishBody, readPublishBody } from "./publish_body.ts";

const publishAnswer = z.object({
  event_id: z.string(),
  seq: z.int().describe("Position in the log"),
  subject: z.string(),
  correlation_id: z.string(),
  timestamp: z.string(),
  duplicate: z.literal(true).optional().describe("The event had been stored before; this is where"),
}).openapi("PublishedEvent");

const answer = (description: string) => ({
  description,
  content: { "application/json": { schema: publishAnswer } },
});

const publishRoute = createRoute({
  method: "post",
  path: "/api/events",
  summary: "Publish an event; answered when it is on disk",
  description:
    "With the header `ce-specversion` the event comes as a CloudEvent in binary mode: its attributes " +
    "in `ce-` headers, its data as the body.",
  security: [{ key: ["write"] }],
  request: {
    body: {
      required: true,
      content: { "application/json": { schema: publishBody }, [cloudEventType]: { schema: cloudEventBody } },
    },
  },
  responses: {
    200: answer("The same event was stored before"),
    201: answer("Stored"),
    409: { description: "Another event has this id, or the subject is not at expected_seq" },
    413: { description: "The payload is too large" },
    415: { description: "The body, or the data of the CloudEvent, is no JSON" },
    422: { description: "The body or the subject is not valid" },
    503: { description: "The storage is not available; try again with the same id" },
    507: { description: "The disk is full; nothing was stored" },
  },
});

/** `POST /api/events`. */
export function addPublishRoute(
  http: OpenAPIHono<HttpEnv>,
  { log, host }: { log: EventLog; host: Host },
): void {
  const nodeId = host.node.id;
  // The body has several forms, of which the framework would check each in turn: it is read here.
  http.openAPIRegistry.registerPath(publishRoute);
  http.post(publishRoute.path, async (c) => {
    const event = await readEvent(c, nodeId);
    const { principal, correlationId } = c.env;
    const accept = () => {
      const traceparent = currentContext()?.traceparent;
      const author = { nodeId, principal, correlationId, traceparent, time: timestamp(host.clock) };
      return log.accept(draftAuthored(event, { log, author }));
    };
    const call = currentContext()!; // every request has one
    const landed = await inSpan(`publish ${event.type}`, { call, kind: "producer" }, accept)
      .catch((error) => Promise.reject(principal?.projects ? withoutForeign(error) : error));
    return landed.duplicate
      ? c.json({ ...toAnswer(landed), duplicate: true as const }, 200)
      : c.json(toAnswer(landed), 201);
  });
}

async function readEvent(c: Context<HttpEnv>, nodeId: string): Promise<AuthoredEvent> {
  const isBinary = c.req.raw.headers.has("ce-specversion");
  const type = mediaTypeOf(c.req.header("content-type"), isBinary ? jsonOnly : singleTypes);
  const value = parseJson(await c.req.text());
  if (isBinary) return readBinaryCloudEvent(c.req.raw.headers, { data: value, nodeId });
  return type === cloudEventType ? readCloudEvent(value, nodeId) : readPublishBody(value, nodeId);
}

const jsonOnly = ["application/json"] as const;
const singleTypes = ["application/json", cloudEventType] as const;

function toAnswer(landed: Landed): z.output<typeof publishAnswer> {
  return {
    event_id: landed.id,
    seq: landed.seq,
    subject: landed.subject,
    correlation_id: landed.correlationId,
    timestamp: landed.time,
  };
}
