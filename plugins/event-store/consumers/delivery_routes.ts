import { createRoute, type OpenAPIHono, z } from "@hono/zod-openapi";
import type { HttpEnv } from "../../../core/http/env.ts";
import { eventItem, eventJson } from "../read/event_json.ts";
import type { ConsumerBook } from "./consumer_book.ts";
import type { Answered, ConsumerDesk } from "./consumer_desk.ts";
import { durationText } from "./consumer_json.ts";
import { consumerName } from "./consumer_routes.ts";
import { deliveryToken, tokenOf } from "./delivery_token.ts";
import type { Taken } from "./take_deliveries.ts";

/** A wait ends this long before the request would be given up, in milliseconds. */
const answerMs = 500;
/** A thousand tokens and an error. */
const maxBodyBytes = 256 * 1024;

const fetchBody = z.strictObject({
  limit: z.int().min(1).max(1000).default(100).openapi({ description: "Events at the most" }),
  wait: durationText({ min: 0, max: 30_000 }, {
    example: "20s",
    description: "How long to wait for the first event where there is none, default 0s. " +
      "Ends a little before http.request_timeout",
  }).prefault("0s"),
}).openapi("FetchEvents");

const fetched = z.object({
  items: z.array(z.object({
    token: z.string().describe("Names this delivery; goes into ack, nak and extend"),
    attempt: z.int().describe("1 for the first delivery"),
    event: eventItem,
  })),
  ack_by: z.string().nullable().describe("When the worker's time with them ends; null without events"),
}).openapi("FetchedEvents");

const tokens = z.array(z.string().regex(deliveryToken, "expected a token that fetch has answered")).min(1)
  .max(1000).openapi({ description: "Tokens of deliveries" });

const answer = (done: string) =>
  z.object({
    [done]: z.int().describe("Deliveries"),
    stale: z.array(z.string()).describe(
      "Tokens that say nothing any more: answered before, or out of time and given to another worker",
    ),
  });

const body = <Schema extends z.ZodType>(schema: Schema) => ({
  required: true as const,
  content: { "application/json": { schema } },
});

const post = <Body extends z.ZodType, Answer extends z.ZodType>(
  { verb, summary, request, response }: { verb: string; summary: string; request: Body; response: Answer },
) =>
  createRoute({
    method: "post",
    path: `/api/events/consumers/{name}/${verb}`,
    summary,
    security: [{ key: ["write"] }] as Record<string, string[]>[],
    "x-max-body": maxBodyBytes,
    request: { params: consumerName, body: body(request) },
    responses: {
      200: { description: "Done", content: { "application/json": { schema: response } } },
      404: { description: "No such consumer, or none that this key may see" },
      409: { description: "The consumer belongs to a plugin" },
    },
  });

const fetchRoute = post({
  verb: "fetch",
  summary: "Get the next events; each has to be acknowledged in time, or it comes again",
  request: fetchBody,
  response: fetched,
});
const ackRoute = post({
  verb: "ack",
  summary: "These events are done with",
  request: z.strictObject({ tokens }).openapi("AcknowledgeEvents"),
  response: answer("acknowledged").openapi("AcknowledgedEvents"),
});
const nakRoute = post({
  verb: "nak",
  summary: "These events failed; deliver them again, at once or after a while",
  request: z.strictObject({
    tokens,
    delay: durationText({ min: 0, max: 604_800_000 }, {
      example: "10s",
      description: "Until the next delivery at the soonest, default 0s",
    }).prefault("0s"),
    error: z.string().max(2000).optional().openapi({ description: "Why; kept with the event" }),
  }).openapi("GiveEventsBack"),
  response: answer("returned").extend({
    dead: z.int().describe("Of those, given up: that was their last delivery"),
  }).openapi("EventsGivenBack"),
});
const extendRoute = post({
  verb: "extend",
  summary: "More time for these events, from now",
  request: z.strictObject({
    tokens,
    ack_wait: durationText({ min: 10, max: 86_400_000 }, {
      example: "5m",
      description: "Default: that of the consumer",
    }).optional(),
  }).openapi("ExtendDeliveries"),
  response: answer("extended").openapi("ExtendedDeliveries"),
});

/** What workers do: fetch events and answer for them. */
export function addDeliveryRoutes(
  http: OpenAPIHono<HttpEnv>,
  { book, desk }: { book: ConsumerBook; desk: ConsumerDesk },
): void {
  http.openapi(fetchRoute, async (c) => {
    const consumer = await book.findOpen(c.req.valid("param").name, c.env.principal);
    const { limit, wait } = c.req.valid("json");
    const taken = await desk.fetch(consumer, {
      limit,
      waitMs: Math.max(0, Math.min(wait, c.env.requestTimeoutMs - answerMs)),
      signal: AbortSignal.any([c.req.raw.signal, c.env.closing]),
    });
    // The stored payloads are JSON already; the schema above is what this text has.
    return c.body(takenJson(taken), 200, { "content-type": "application/json" }) as never;
  });
  http.openapi(ackRoute, async (c) => {
    const consumer = await book.findOpen(c.req.valid("param").name, c.env.principal);
    const { done, stale } = await desk.acknowledge(consumer, c.req.valid("json").tokens);
    return c.json({ acknowledged: done, stale: [...stale] } as never, 200);
  });
  http.openapi(nakRoute, async (c) => {
    const consumer = await book.findOpen(c.req.valid("param").name, c.env.principal);
    const { tokens, delay, error } = c.req.valid("json");
    const { done, stale, dead } = await desk.giveBack(consumer, tokens, { delayMs: delay, error });
    return c.json({ returned: done, dead, stale: [...stale] } as never, 200);
  });
  http.openapi(extendRoute, async (c) => {
    const consumer = await book.findOpen(c.req.valid("param").name, c.env.principal);
    const { tokens, ack_wait } = c.req.valid("json");
    const { done, stale }: Answered = await desk.extend(consumer, tokens, ack_wait ?? consumer.ack_wait_ms);
    return c.json({ extended: done, stale: [...stale] } as never, 200);
  });
}

function takenJson({ token, handouts, dueMs }: Taken): string {
  const items = handouts.map(({ event, attempt }) =>
    `{"token":"${tokenOf(event.seq, token)}","attempt":${attempt},"event":${eventJson(event)}}`
  );
  const ackBy = handouts.length === 0 ? "null" : `"${new Date(dueMs).toISOString()}"`;
  return `{"items":[${items.join(",")}],"ack_by":${ackBy}}`;
}
