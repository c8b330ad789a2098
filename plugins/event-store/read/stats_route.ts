import { createRoute, type OpenAPIHono, z } from "@hono/zod-openapi";
import type { HttpEnv } from "../../../core/http/env.ts";
import { requireUnlimited } from "../../../core/http/principal.ts";
import type { Storage } from "../../../core/storage/storage.ts";
import type { LiveStreams } from "../stream/live_streams.ts";
import type { Relay } from "../relay/relay.ts";
import type { RuleState } from "../retention/add_retention.ts";
import type { EventStore } from "../store.ts";

const statistics = z.object({
  events: z.int().describe("Events in the log"),
  first_seq: z.int().nullable(),
  last_seq: z.int().describe("0 while the log is empty"),
  last_timestamp: z.string().nullable(),
  storage: z.enum(["sqlite", "postgres"]),
  size_bytes: z.int().describe("Of the whole database, other plugins included"),
  relay: z.object({
    seq: z.int().nullable().describe(
      "This node's events up to here are on the bus; null before the first look",
    ),
    lag: z.int().describe("Sequences that the relay has yet to put on the bus"),
    parked: z.int().describe("Events that the bus can never take"),
    problem: z.string().nullable(),
  }),
  stream_clients: z.int(),
  retention: z.array(z.object({
    subject: z.string(),
    events: z.int().describe("Under this rule, as of last_run"),
    bytes: z.int().describe("Of their payloads"),
    oldest: z.string().nullable().describe("When the oldest of them was stored"),
    removed_events: z.int().describe("Since the rule is there"),
    removed_bytes: z.int(),
    last_run: z.string().nullable(),
  })),
}).openapi("EventStatistics");

const statsRoute = createRoute({
  method: "get",
  path: "/api/events/stats",
  summary: "Size and state of the log",
  security: [{ key: ["read"] }],
  responses: {
    200: { description: "Statistics", content: { "application/json": { schema: statistics } } },
    403: { description: "The key is limited to projects" },
  },
});

interface StatsParts {
  readonly retention: { states(): Promise<readonly RuleState[]> };
  readonly store: EventStore;
  readonly storage: Storage;
  readonly relay: Relay;
  readonly streams: LiveStreams;
  readonly nodeId: string;
}

/** `GET /api/events/stats`. */
export function addStatsRoute(http: OpenAPIHono<HttpEnv>, parts: StatsParts): void {
  const { store, storage, relay, streams, retention, nodeId } = parts;
  http.openapi(statsRoute, async (c) => {
    requireUnlimited(c.env.principal);
    const { events, firstSeq, lastSeq, lastTime } = await store.extent();
    return c.json({
      events,
      first_seq: firstSeq,
      last_seq: lastSeq,
      last_timestamp: lastTime,
      storage: storage.kind,
      size_bytes: await storage.sizeBytes(),
      relay: {
        seq: relay.position ?? null,
        lag: await relay.lag(),
        parked: await store.parkedCount(nodeId),
        problem: relay.problem ?? null,
      },
      stream_clients: streams.count,
      retention: [...await retention.states()],
    }, 200);
  });
}
