import { createRoute, type OpenAPIHono, z } from "@hono/zod-openapi";
import { Problem } from "../../core/errors.ts";
import type { HttpEnv } from "../../core/http/env.ts";
import { seesProject } from "../../core/http/principal.ts";
import { eventItem, eventJson } from "./event_json.ts";
import { filterQuery, toFilter } from "./filter_query.ts";
import { decodeCursor, encodeCursor } from "./list_cursor.ts";
import { scanEvents } from "./scan_events.ts";
import type { EventStore } from "./store.ts";

/** Time that one page may look for rare events before it answers with what it has, in milliseconds. */
const pageBudgetMs = 2000;

const eventPage = z.object({
  items: z.array(eventItem),
  next: z.string().nullable().describe(
    "Cursor of the next page; null at the end. A page may hold less than `limit`",
  ),
}).openapi("EventPage");

const listRoute = createRoute({
  method: "get",
  path: "/api/events",
  summary: "Find stored events",
  security: [{ key: ["read"] }],
  request: {
    query: filterQuery.extend({
      order: z.enum(["asc", "desc"]).default("asc"),
      limit: z.coerce.number().pipe(z.int().min(1).max(1000)).default(100).openapi({ type: "integer" }),
      cursor: z.string().max(200).optional().openapi({ description: "`next` of the page before" }),
    }),
  },
  responses: {
    200: {
      description: "Events in order of their sequence",
      content: { "application/json": { schema: eventPage } },
    },
    422: { description: "A parameter is not valid" },
  },
});

const getRoute = createRoute({
  method: "get",
  path: "/api/events/{id}",
  summary: "One event",
  security: [{ key: ["read"] }],
  request: { params: z.object({ id: z.string().min(1).max(128) }) },
  responses: {
    200: { description: "The event", content: { "application/json": { schema: eventItem } } },
    404: { description: "No such event, or none that this key may see" },
  },
});

/** `GET /api/events`. */
export function addListRoute(http: OpenAPIHono<HttpEnv>, store: EventStore): void {
  http.openapi(listRoute, async (c) => {
    const query = c.req.valid("query");
    const { order, limit } = query;
    const cursor = query.cursor === undefined ? undefined : decodeCursor(query.cursor, order);
    const afterSeq = (query.after_seq ?? 0) + 1;
    const { rows, scannedTo, complete } = await scanEvents(store, {
      filter: toFilter(query, c.env.principal),
      order,
      limit,
      from: order === "asc" && cursor !== undefined ? Math.max(afterSeq, cursor + 1) : afterSeq,
      to: order === "desc" && cursor !== undefined ? cursor - 1 : undefined,
      budgetMs: pageBudgetMs,
    });
    const next = complete ? "null" : JSON.stringify(encodeCursor(scannedTo, order));
    // The stored payloads are JSON already; the schema above is what this text has.
    return c.body(`{"items":[${rows.map(eventJson).join(",")}],"next":${next}}`, 200, json) as never;
  });
}

/** `GET /api/events/{id}`; to be added after every fixed path below `/api/events/`. */
export function addGetRoute(http: OpenAPIHono<HttpEnv>, store: EventStore): void {
  http.openapi(getRoute, async (c) => {
    const { id } = c.req.valid("param");
    const row = await store.byId(id);
    if (!row || !seesProject(c.env.principal, row.project)) {
      throw new Problem(404, "event_not_found", { detail: `There is no event with the id "${id}"` });
    }
    return c.body(eventJson(row), 200, json) as never;
  });
}

const json = { "content-type": "application/json" };
