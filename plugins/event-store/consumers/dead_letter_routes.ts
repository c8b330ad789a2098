import { createRoute, type OpenAPIHono, z } from "@hono/zod-openapi";
import { Problem } from "../../../core/errors.ts";
import type { HttpEnv } from "../../../core/http/env.ts";
import { eventItem, eventJson } from "../read/event_json.ts";
import { decodeCursor, encodeCursor } from "../search/list_cursor.ts";
import type { ConsumerBook } from "./consumer_book.ts";
import { consumerName } from "./consumer_routes.ts";
import type { DeadLetter, DeadLetters } from "./dead_letters.ts";
import { errorsOf } from "./failed_delivery.ts";

const deadLetter = z.object({
  seq: z.int(),
  reason: z.enum(["max_deliveries", "damaged", "removed"]).describe(
    "`damaged`: the event cannot be read; `removed`: retention removed it before it was acknowledged",
  ),
  deliveries: z.int().describe("How often it was delivered"),
  errors: z.array(z.object({ error: z.string(), at: z.string() })).describe("Oldest first"),
  died_at: z.string(),
  event: eventItem.nullable().describe("Null where it cannot be read"),
}).openapi("DeadLetter");

const missing = { description: "No such consumer, or none that this key may see" };
const path = "/api/events/consumers/{name}/dead-letters";
const write: Record<string, string[]>[] = [{ key: ["write"] }];
const seqNumber = z.int().min(1);

const listRoute = createRoute({
  method: "get",
  path,
  summary: "Events that were given up, with their errors",
  security: [{ key: ["read"] }],
  request: {
    params: consumerName,
    query: z.strictObject({
      limit: z.coerce.number().pipe(z.int().min(1).max(1000)).default(100).openapi({ type: "integer" }),
      cursor: z.string().max(200).optional().openapi({ description: "`next` of the page before" }),
    }),
  },
  responses: {
    200: {
      description: "In order of their sequence; a page may hold less than `limit`",
      content: {
        "application/json": {
          schema: z.object({ items: z.array(deadLetter), next: z.string().nullable() })
            .openapi("DeadLetterPage"),
        },
      },
    },
    404: missing,
  },
});

const replayRoute = createRoute({
  method: "post",
  path: `${path}/replay`,
  summary: "Deliver dead letters again, 1000 a call, with all their deliveries before them",
  security: write,
  request: {
    params: consumerName,
    body: {
      required: true,
      content: {
        "application/json": {
          schema: z.strictObject({
            seqs: z.array(seqNumber).min(1).max(1000).optional().openapi({
              description: "These; default: the oldest",
            }),
          }).openapi("ReplayDeadLetters"),
        },
      },
    },
  },
  responses: {
    200: {
      description: "Done",
      content: {
        "application/json": {
          schema: z.object({
            replayed: z.int(),
            remaining: z.int().describe("Dead letters that are left; call again where it should be none"),
          }).openapi("ReplayedDeadLetters"),
        },
      },
    },
    404: missing,
  },
});

const removeAllRoute = createRoute({
  method: "delete",
  path,
  summary: "Forget all dead letters of a consumer",
  security: write,
  request: { params: consumerName },
  responses: { 204: { description: "Forgotten" }, 404: missing },
});

const removeRoute = createRoute({
  method: "delete",
  path: `${path}/{seq}`,
  summary: "Forget one dead letter",
  security: write,
  request: {
    params: consumerName.extend({
      seq: z.coerce.number().pipe(seqNumber).openapi({ type: "integer", description: "Its sequence" }),
    }),
  },
  responses: { 204: { description: "Forgotten" }, 404: { description: "No such consumer or dead letter" } },
});

/** The dead letters of a consumer; also of one that a plugin handles, since somebody has to see to them. */
export function addDeadLetterRoutes(
  http: OpenAPIHono<HttpEnv>,
  { book, letters }: { book: ConsumerBook; letters: DeadLetters },
): void {
  http.openapi(listRoute, async (c) => {
    const consumer = await book.find(c.req.valid("param").name, c.env.principal);
    const { limit, cursor } = c.req.valid("query");
    const after = cursor === undefined ? 0 : decodeCursor(cursor, "asc");
    const { items, lastSeq } = await letters.list(consumer, { after, limit });
    const next = lastSeq === undefined ? "null" : `"${encodeCursor(lastSeq, "asc")}"`;
    // The stored payloads are JSON already; the schema above is what this text has.
    const text = `{"items":[${items.map(letterJson).join(",")}],"next":${next}}`;
    return c.body(text, 200, { "content-type": "application/json" }) as never;
  });
  http.openapi(replayRoute, async (c) => {
    const consumer = await book.find(c.req.valid("param").name, c.env.principal);
    return c.json(await letters.replay(consumer, c.req.valid("json").seqs), 200);
  });
  http.openapi(removeAllRoute, async (c) => {
    await letters.remove(await book.find(c.req.valid("param").name, c.env.principal));
    return c.body(null, 204);
  });
  http.openapi(removeRoute, async (c) => {
    const { name, seq } = c.req.valid("param");
    const removed = await letters.remove(await book.find(name, c.env.principal), seq);
    if (removed > 0) return c.body(null, 204);
    throw new Problem(404, "dead_letter_not_found", {
      detail: `The consumer "${name}" has no dead letter with the sequence ${seq}`,
    });
  });
}

function letterJson({ letter, event }: DeadLetter): string {
  const { seq, reason, deliveries, errors, died_at } = letter;
  const head = JSON.stringify({ seq, reason, deliveries, errors: errorsOf(errors), died_at });
  return `${head.slice(0, -1)},"event":${event ? eventJson(event) : "null"}}`;
}
