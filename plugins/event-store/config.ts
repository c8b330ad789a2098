import { z } from "zod";
import { durationMs, sizeBytes } from "../../core/units.ts";

/** Settings under `plugins.event-store`. */
export const eventStoreConfig = z.strictObject({
  max_payload: sizeBytes({ min: 1024, max: 900 * 1024 }).prefault("256kb")
    .describe("Largest payload of one event; a NATS message holds 1 MB by default, headers included"),
  max_pending: z.int().min(64).max(100_000).default(10_000)
    .describe("Events waiting for the disk before further ones are refused with 503"),
  relay: z.strictObject({
    window: z.int().min(1).max(4096).default(256)
      .describe("Events on their way to the bus at the same time"),
    resend: durationMs().prefault("7d")
      .describe("How far back events are sent again when the bus has lost its store"),
  }).prefault({}).describe("Puts stored events on the bus, in order"),
  stream: z.strictObject({
    max_clients: z.int().min(1).max(100_000).default(1000)
      .describe("WebSocket and SSE connections at the same time"),
    buffer: z.int().min(100).max(1_000_000).default(10_000)
      .describe("Live events a slow reader may fall behind before its connection is closed"),
    keepalive: durationMs({ min: 1000, max: 300_000 }).prefault("15s")
      .describe("Silence after which an idle stream sends a sign of life"),
  }).prefault({}).describe("Live streams"),
});

/** Settings of the event-store, parsed. */
export type EventStoreConfig = z.output<typeof eventStoreConfig>;
