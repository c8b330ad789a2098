import { createRoute, type OpenAPIHono, z } from "@hono/zod-openapi";
import { Problem } from "../../../core/errors.ts";
import type { HttpEnv } from "../../../core/http/env.ts";
import type { ConsumerBook } from "./consumer_book.ts";
import { consumerBody, consumerItem, consumerJson } from "./consumer_json.ts";
import type { ConsumerRow } from "./consumer_tables.ts";

/** Path parameter of every route about one consumer; plugins' own have a dot in their name. */
export const consumerName: z.ZodObject<{ name: z.ZodString }> = z.object({
  name: z.string().regex(/^[A-Za-z0-9_.-]{1,200}$/, "expected letters, digits, _ and -"),
});

const newName = z.object({
  name: z.string().regex(/^[A-Za-z0-9_-]{1,100}$/, "expected 1 to 100 letters, digits, _ or -"),
});

const shown = (description: string) => ({
  description,
  content: { "application/json": { schema: consumerItem } },
});
const missing = { description: "No such consumer, or none that this key may see" };
const owned = { description: "The consumer belongs to a plugin" };
const read: Record<string, string[]>[] = [{ key: ["read"] }];
const write: Record<string, string[]>[] = [{ key: ["write"] }];

const putRoute = createRoute({
  method: "put",
  path: "/api/events/consumers/{name}",
  summary: "Make a consumer, or change the one there is; what is left out gets its default",
  security: write,
  request: {
    params: newName,
    body: { required: true, content: { "application/json": { schema: consumerBody } } },
  },
  responses: {
    200: shown("It existed, and is now as asked for"),
    201: shown("Made"),
    409: { description: "It starts elsewhere, belongs to somebody else, or there are too many" },
  },
});

const listRoute = createRoute({
  method: "get",
  path: "/api/events/consumers",
  summary: "List consumers by name, those of plugins included",
  security: read,
  request: {
    query: z.strictObject({
      limit: z.coerce.number().pipe(z.int().min(1).max(1000)).default(100).openapi({ type: "integer" }),
      cursor: z.string().max(400).optional().openapi({ description: "`next` of the page before" }),
    }),
  },
  responses: {
    200: {
      description: "A page; `next` is null on the last",
      content: {
        "application/json": {
          schema: z.object({ items: z.array(consumerItem), next: z.string().nullable() })
            .openapi("ConsumerPage"),
        },
      },
    },
  },
});

const getRoute = createRoute({
  method: "get",
  path: "/api/events/consumers/{name}",
  summary: "A consumer and how it stands",
  security: read,
  request: { params: consumerName },
  responses: { 200: shown("The consumer"), 404: missing },
});

const deleteRoute = createRoute({
  method: "delete",
  path: "/api/events/consumers/{name}",
  summary: "Delete a consumer with all it has in hand and its dead letters",
  security: write,
  request: {
    params: consumerName,
    query: z.strictObject({
      abandoned: z.enum(["true", "false"]).default("false").openapi({
        description: "`true` for one whose plugin is gone for good; one whose plugin still runs is made anew",
      }),
    }),
  },
  responses: { 204: { description: "Deleted" }, 404: missing, 409: owned },
});

const pauseRoutes = (["pause", "resume"] as const).map((verb) =>
  createRoute({
    method: "post",
    path: `/api/events/consumers/{name}/${verb}`,
    summary: verb === "pause"
      ? "Hand out nothing until it is resumed; what is in hand can be answered"
      : "Hand out events again",
    security: write,
    request: { params: consumerName },
    responses: { 200: shown("Done"), 404: missing, 409: owned },
  })
);

/** Making, looking at, pausing and deleting consumers. */
export function addConsumerRoutes(http: OpenAPIHono<HttpEnv>, book: ConsumerBook): void {
  const show = async (row: ConsumerRow) => consumerJson(row, await book.stateOf(row));
  http.openapi(putRoute, async (c) => {
    const { name } = c.req.valid("param");
    const { created, row } = await book.put(name, {
      settings: c.req.valid("json"),
      principal: c.env.principal,
    });
    return c.json(await show(row), created ? 201 : 200);
  });
  http.openapi(listRoute, async (c) => {
    const { limit, cursor } = c.req.valid("query");
    const after = cursor === undefined ? "" : decodeName(cursor);
    const { rows, lastName } = await book.list({ after, limit }, c.env.principal);
    const items = [];
    for (const row of rows) items.push(await show(row));
    return c.json({ items, next: lastName === undefined ? null : encodeName(lastName) }, 200);
  });
  http.openapi(getRoute, async (c) => {
    return c.json(await show(await book.find(c.req.valid("param").name, c.env.principal)), 200);
  });
  http.openapi(deleteRoute, async (c) => {
    const { name } = c.req.valid("param");
    const abandoned = c.req.valid("query").abandoned === "true";
    await book.remove(await book[abandoned ? "find" : "findOpen"](name, c.env.principal));
    return c.body(null, 204);
  });
  for (const route of pauseRoutes) {
    http.openapi(route, async (c) => {
      const row = await book.findOpen(c.req.valid("param").name, c.env.principal);
      return c.json(await show(await book.pause(row, route.path.endsWith("/pause"))), 200);
    });
  }
}

function encodeName(name: string): string {
  return btoa(`name:${name}`).replaceAll("=", "");
}

function decodeName(cursor: string): string {
  let text = "";
  try {
    text = atob(cursor);
  } catch {
    // Not base64: refused below with everything else that is no cursor.
  }
  const match = /^name:([A-Za-z0-9_.-]{1,200})$/.exec(text);
  if (match) return match[1]!;
  throw new Problem(422, "invalid_cursor", {
    detail: "`cursor` is not the `next` of a page of this list; leave it out to start at the beginning",
  });
}
