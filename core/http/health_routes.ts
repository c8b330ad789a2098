import { createRoute, type OpenAPIHono, z } from "@hono/zod-openapi";
import type { BusStatus } from "../bus/bus.ts";
import type { Clock } from "../clock.ts";
import type { HealthChecks, HealthReport } from "../health.ts";
import type { HttpEnv } from "./env.ts";
import { newApp } from "./new_app.ts";

/** How long a report is served again, in milliseconds: anybody may ask, and each report asks the database. */
const freshMs = 1000;

const state = z.object({ status: z.enum(["live", "ready", "not_ready"]) }).openapi("HealthState");

const report = z.object({
  status: z.enum(["healthy", "degraded", "unhealthy"]),
  checks: z.array(z.object({
    name: z.string(),
    status: z.enum(["up", "degraded", "down"]),
    required: z.boolean(),
    latency_ms: z.number(),
    message: z.string().optional(),
  })),
}).openapi("HealthReport");

const bus = z.object({
  kind: z.enum(["memory", "nats"]),
  connected: z.boolean(),
  url: z.string(),
  reconnects: z.int(),
  problem: z.string().optional(),
}).openapi("BusStatus");

function json<Schema extends z.ZodType>(schema: Schema, description: string) {
  return { description, content: { "application/json": { schema } } };
}

const common = { tags: ["health"], security: [] as Record<string, string[]>[] };

const live = createRoute({
  ...common,
  method: "get",
  path: "/health/live",
  summary: "Whether the process answers at all",
  responses: { 200: json(state, "It does") },
});

const ready = createRoute({
  ...common,
  method: "get",
  path: "/health/ready",
  summary: "Whether requests should be sent here: not while starting or stopping",
  responses: { 200: json(state, "Ready"), 503: json(state, "Starting or stopping") },
});

const health = createRoute({
  ...common,
  method: "get",
  path: "/health",
  summary: "Every check with its status and latency; at most a second old",
  responses: {
    200: json(report, "All that is required is up"),
    503: json(report, "Something required is down"),
  },
});

const nats = createRoute({
  ...common,
  method: "get",
  path: "/health/nats",
  summary: "State of the bus",
  responses: { 200: json(bus, "Connected or not") },
});

export interface HealthRoutesOptions {
  readonly health: HealthChecks;
  readonly clock: Clock;
  readonly busStatus: () => BusStatus;
  readonly isReady: () => boolean;
}

/** `/health*`: open to anybody, and cheap however often it is asked. */
export function healthRoutes(
  { health: checks, clock, busStatus, isReady }: HealthRoutesOptions,
): OpenAPIHono<HttpEnv> {
  const app = newApp();
  const latest = coalesced(() => checks.report(), clock);
  app.openapi(live, (c) => c.json({ status: "live" as const }, 200));
  app.openapi(ready, (c) => {
    return isReady()
      ? c.json({ status: "ready" as const }, 200)
      : c.json({ status: "not_ready" as const }, 503);
  });
  app.openapi(health, async (c) => {
    const { status, checks } = await latest();
    const shown = checks.map(({ name, status, required, latencyMs, message }) => ({
      name,
      status,
      required,
      latency_ms: latencyMs,
      ...(message === undefined ? {} : { message: withoutCredentials(message) }),
    }));
    return c.json({ status, checks: shown }, status === "unhealthy" ? 503 : 200);
  });
  app.openapi(nats, (c) => {
    const { kind, connected, url, reconnects, problem } = busStatus();
    const shown = problem === undefined ? {} : { problem: withoutCredentials(problem) };
    return c.json({ kind, connected, url: withoutCredentials(url), reconnects, ...shown }, 200);
  });
  return app;
}

/** One report at a time, and the last one again while it is fresh. */
function coalesced(ask: () => Promise<HealthReport>, clock: Clock): () => Promise<HealthReport> {
  let current: { report: Promise<HealthReport>; readonly askedAt: number } | undefined;
  let pending = false;
  return () => {
    const now = clock.monotonic();
    if (!current || (!pending && now - current.askedAt > freshMs)) {
      pending = true;
      current = { report: ask().finally(() => pending = false), askedAt: now };
    }
    return current.report;
  };
}

/** The texts of errors come from drivers, which like to quote the URL they were given. */
function withoutCredentials(text: string): string {
  return text.replaceAll(/:\/\/[^\s/@]*@/g, "://[redacted]@");
}
