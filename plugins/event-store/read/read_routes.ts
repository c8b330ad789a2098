import { createRoute, type OpenAPIHono, z } from "@hono/zod-openapi";
import type { Context } from "hono";
import { accepts } from "hono/accepts";
import { Problem } from "../../../core/errors.ts";
import type { HttpEnv } from "../../../core/http/env.ts";
import { seesProject } from "../../../core/http/principal.ts";
import { cloudEventJson } from "./cloud_event_json.ts";
import { eventItem, eventJson } from "./event_json.ts";
import { filterQuery, maxIdLength, toFilter } from "../search/filter_query.ts";
import { cloudEventBody } from "../intake/cloud_event_body.ts";
import { cloudEventsType, cloudEventType } from "../intake/media_type.ts";
import { DamagedEvent } from "../log/damage.ts";
import { decodeCursor, encodeCursor } from "../search/list_cursor.ts";
import { scanEvents } from "../search/scan_events.ts";
import type { SubjectCatalog } from "../search/subject_catalog.ts";
import type { EventStore } from "../store.ts";

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
      description:
        "Events in order of their sequence. As CloudEvents, a page tells of the next one in `Link`",
      content: {
        "application/json": { schema: eventPage },
        [cloudEventsType]: { schema: z.array(cloudEventBody) },
      },
    },
    422: { description: "A parameter is not valid" },
  },
});

const getRoute = createRoute({
  method: "get",
  path: "/api/events/{id}",
  summary: "One event",
  security: [{ key: ["read"] }],
  request: {
    params: z.object({ id: z.string().min(1).max(maxIdLength) }),
    query: z.strictObject({
      origin: z.string().max(100).optional().openapi({
        description: "Node that it is of; without, the first one stored under this id",
      }),
    }),
  },
  responses: {
    200: {
      description: "The event",
      content: { "application/json": { schema: eventItem }, [cloudEventType]: { schema: cloudEventBody } },
    },
    404: { description: "No such event, or none that this key may see" },
  },
});

/** `GET /api/events`. */
export function addListRoute(
  http: OpenAPIHono<HttpEnv>,
  { store, subjects }: { store: EventStore; subjects: SubjectCatalog },
): void {
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
      subjects,
    }).catch((error) => {
      if (!(error instanceof DamagedEvent)) throw error;
      throw new DamagedEvent(error.seq, encodeCursor(error.seq, order));
    });
    const next = complete ? undefined : encodeCursor(scannedTo, order);
    // The stored payloads are JSON already; the schemas above are what these texts have.
    if (wants(c, cloudEventsType)) {
      const headers = headersOf(cloudEventsType);
      if (next !== undefined) headers.link = linkToNext(c.req.url, next);
      return c.body(`[${rows.map(cloudEventJson).join(",")}]`, 200, headers) as never;
    }
    const text = `{"items":[${rows.map(eventJson).join(",")}],"next":${JSON.stringify(next ?? null)}}`;
    return c.body(text, 200, headersOf(json)) as never;
  });
}

/** `GET /api/events/{id}`; to be added after every fixed path below `/api/events/`. */
export function addGetRoute(http: OpenAPIHono<HttpEnv>, store: EventStore): void {
  http.openapi(getRoute, async (c) => {
    const { id } = c.req.valid("param");
    const row = await store.byId(id, c.req.valid("query").origin);
    if (!row || !seesProject(c.env.principal, row.project)) {
      throw new Problem(404, "event_not_found", { detail: `There is no event with the id "${id}"` });
    }
    return (wants(c, cloudEventType)
      ? c.body(cloudEventJson(row), 200, headersOf(cloudEventType))
      : c.body(eventJson(row), 200, headersOf(json))) as never;
  });
}

const json = "application/json";

/** Whether the caller prefers that form; whatever else he asks for, he gets JSON. */
function wants(c: Context<HttpEnv>, type: string): boolean {
  return accepts(c, { header: "Accept", supports: [json, type], default: json }) === type;
}

function headersOf(type: string): Record<string, string> {
  return { "content-type": type, vary: "accept" };
}

function linkToNext(url: string, cursor: string): string {
  const { pathname, searchParams } = new URL(url);
  searchParams.set("cursor", cursor);
  return `<${pathname}?${searchParams}>; rel="next"`;
}
