import { createRoute, type OpenAPIHono, z } from "@hono/zod-openapi";
import type { HttpEnv } from "../../../core/http/env.ts";
import { requireUnlimited } from "../../../core/http/principal.ts";
import { type CollectStore, maxRefused } from "./collect_store.ts";
import type { Collector } from "./collector.ts";

const refusedItem = z.object({
  stream: z.string().describe("Where it lies: the stream of the bus"),
  stream_seq: z.int().describe("… and its sequence there"),
  subject: z.string(),
  event_id: z.string().describe("Empty where it had none"),
  error: z.string().describe("Why it cannot be an event of this log"),
  refused_at: z.string(),
}).openapi("RefusedEvent");

const collectState = z.object({
  patterns: z.array(z.object({
    pattern: z.string(),
    stream_seq: z.int().nullable().describe("Everything up to here in the stream of the bus is taken in"),
    behind: z.int().nullable().describe("Events that wait in the stream; null before its first word"),
    problem: z.string().nullable().describe("Why nothing is taken in, when nothing is"),
  })),
  refused: z.int().describe("What other hosts sent that cannot be an event of this log"),
}).openapi("CollectState");

const refusedList = z.object({ items: z.array(refusedItem), next: z.null() }).openapi("RefusedEvents");

const json = <Schema extends z.ZodType>(description: string, schema: Schema) => ({
  200: { description, content: { "application/json": { schema } } },
  403: { description: "The key is limited to projects" },
});

const stateRoute = createRoute({
  method: "get",
  path: "/api/events/collect",
  summary: "How far the events of other hosts are taken in",
  security: [{ key: ["read"] }],
  responses: json("By pattern", collectState),
});

const refusedRoute = createRoute({
  method: "get",
  path: "/api/events/collect/refused",
  summary: `What other hosts sent and was refused: the latest ${maxRefused}`,
  security: [{ key: ["read"] }],
  responses: json("The latest first", refusedList),
});

const forgetRoute = createRoute({
  method: "delete",
  path: "/api/events/collect/refused",
  summary: "Forget what was refused",
  security: [{ key: ["admin"] }],
  responses: json("How many were forgotten", z.object({ forgotten: z.int() }).openapi("ForgottenEvents")),
});

/** Routes below `/api/events/collect`. */
export function addCollectRoutes(
  http: OpenAPIHono<HttpEnv>,
  { store, collectors }: { store: CollectStore; collectors: readonly Collector[] },
): void {
  http.openapi(stateRoute, async (c) => {
    requireUnlimited(c.env.principal);
    const patterns = collectors.map(({ pattern, streamSeq, behind, problem }) => ({
      pattern,
      stream_seq: streamSeq ?? null,
      behind: behind ?? null,
      problem: problem ?? null,
    }));
    return c.json({ patterns, refused: await store.refusedCount() }, 200);
  });
  http.openapi(refusedRoute, async (c) => {
    requireUnlimited(c.env.principal);
    const rows = await store.refused(maxRefused);
    const items = rows.map(({ stream, stream_seq, subject, event_id, error, time }) => ({
      stream,
      stream_seq,
      subject,
      event_id,
      error,
      refused_at: time,
    }));
    return c.json({ items, next: null }, 200);
  });
  http.openapi(forgetRoute, async (c) => {
    requireUnlimited(c.env.principal);
    return c.json({ forgotten: await store.forgetRefused() }, 200);
  });
}
