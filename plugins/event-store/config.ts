import { z } from "zod";
import { isPattern } from "../../core/bus/subject.ts";
import { durationMs, sizeBytes } from "../../core/units.ts";
import { retentionSettings } from "./retention/retention_settings.ts";

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
  collect: z.array(
    z.string().refine((text) => isPattern(text) && text.startsWith("hub."), {
      message: "expected a pattern of subjects that begins with hub., such as hub.*.project.>",
    }),
  ).max(32).default([])
    .describe("Events of other hosts to take in, as patterns of subjects: `hub.>` for all; needs NATS"),
  stream: z.strictObject({
    max_clients: z.int().min(1).max(100_000).default(1000)
      .describe("WebSocket and SSE connections at the same time"),
    buffer: z.int().min(100).max(1_000_000).default(10_000)
      .describe("Live events a slow reader may fall behind before its connection is closed"),
    keepalive: durationMs({ min: 1000, max: 300_000 }).prefault("15s")
      .describe("Silence after which an idle stream sends a sign of life"),
  }).prefault({}).describe("Live streams"),
  consumers: z.strictObject({
    max: z.int().min(0).max(10_000).default(1000).describe("Consumers that workers outside may have made"),
    max_waiting: z.int().min(0).max(100_000).default(1000)
      .describe("Fetches that may wait for an event at the same time"),
  }).prefault({}).describe("Events for workers that fetch and acknowledge them"),
  replay: z.strictObject({
    max_running: z.int().min(1).max(32).default(4).describe("Replays that this agent runs at the same time"),
    keep: z.int().min(0).max(10_000).default(100).describe("Ended replays that are remembered"),
  }).prefault({}).describe("Publishes stored events once more"),
  retention: retentionSettings.default([])
    .describe(
      "What is removed; the first rule whose subject matches an event decides for it, without one it stays",
    ),
});

/** Settings of the event-store, parsed. */
export type EventStoreConfig = z.output<typeof eventStoreConfig>;
