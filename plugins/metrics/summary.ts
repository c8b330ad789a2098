import { z } from "@hono/zod-openapi";
import type { MetricSnapshot } from "../../core/metrics.ts";
import { type Distribution, distributionOf } from "./distribution.ts";

/** A number that is absent (null) where its source does not answer or is not measured on this system. */
const reading = (description: string) => z.number().nullable().openapi({ description });

const distribution = (description: string) =>
  z.object({
    count: z.number().openapi({ description: "Observations since the start" }),
    mean: z.number().nullable(),
    p50: z.number().nullable().openapi({ description: "Median, estimated from buckets" }),
    p99: z.number().nullable().openapi({ description: "99th percentile, estimated from buckets" }),
  }).nullable().openapi({ description });

/**
 * The answer of `GET /api/metrics/summary`. A field `f` of the group `g` is the metric `commandcenter_g_f`, summed
 * over its labels; so the names say the units here too, and none can be listed that nobody declares.
 */
export const summarySchema = z.object({
  process: z.object({
    cpu_seconds_total: reading("CPU time used"),
    resident_memory_bytes: reading("Memory held in RAM"),
    heap_used_bytes: reading("JavaScript heap in use"),
    open_fds: reading("Open files and sockets"),
    start_time_seconds: reading("Start, in seconds since 1970"),
    uptime_seconds: reading("Time since the start"),
    event_loop_lag_seconds: distribution("How late timers fire, in seconds, since the start"),
    event_loop_lag_max_seconds: reading("Longest lag of the last minute"),
  }),
  host: z.object({
    cpus: reading("Logical processors"),
    cpu_seconds_total: reading("CPU time in all modes, idle included"),
    memory_size_bytes: reading("Memory"),
    memory_available_bytes: reading("Memory that programs could get"),
    disk_size_bytes: reading("Size of the disk that holds the data folder"),
    disk_available_bytes: reading("Its free space"),
    disk_read_bytes_total: reading("Read from all disks"),
    disk_written_bytes_total: reading("Written to all disks"),
    network_receive_bytes_total: reading("Received by all interfaces"),
    network_transmit_bytes_total: reading("Sent by all interfaces"),
  }),
  http: z.object({
    requests_total: reading("Answered requests"),
    requests_in_flight: reading("Requests whose answer has not begun"),
    request_duration_seconds: distribution("Time until the answer began, in seconds"),
  }),
  bus: z.object({
    connected: reading("1 while connected, else 0"),
    reconnects_total: reading("Times that the connection came back"),
    probe_seconds: reading("Round trip, measured for this answer"),
    messages_sent_total: reading("Messages given to the bus"),
    messages_received_total: reading("Messages handed to a handler"),
    messages_lost_total: reading("Messages that no handler handled"),
    failures_total: reading("Messages that the bus did not take"),
  }),
  storage: z.object({
    size_bytes: reading("Size of the database on disk"),
    probe_seconds: reading("Duration of a trivial query, asked for this answer"),
    commits_total: reading("Commits that changed something"),
  }),
  events: z.record(z.string(), z.number()).openapi({
    description:
      "Every counter and gauge commandcenter_events_*, without that beginning; empty while nothing stores events",
    example: { appended_total: 1024, duplicates_total: 3 },
  }),
}).openapi("MetricsSummary");

/** The answer of `GET /api/metrics/summary`. */
export type MetricsSummary = z.output<typeof summarySchema>;

const prefix = "commandcenter_";

/** Sorts a snapshot of all metrics into the groups of the summary. */
export function summarize(snapshot: readonly MetricSnapshot[]): MetricsSummary {
  const byName = new Map(snapshot.map((metric) => [metric.name, metric]));
  const { events: _events, ...groups } = summarySchema.shape;
  const summary: Record<string, Record<string, number | Distribution | null>> = {};
  for (const [group, schema] of Object.entries(groups)) {
    summary[group] = Object.fromEntries(
      Object.keys(schema.shape).map((field) => [field, valueOf(byName.get(`${prefix}${group}_${field}`))]),
    );
  }
  summary.events = Object.fromEntries(eventNumbers(snapshot));
  return summary as MetricsSummary;
}

function valueOf(metric: MetricSnapshot | undefined): number | Distribution | null {
  if (metric?.type === "histogram") return distributionOf(metric);
  // A counter with labels has no samples before it counts; what could not be read has none either, and is unknown.
  if (!metric || (metric.samples.length === 0 && (metric.collected || metric.type === "gauge"))) return null;
  return metric.samples.reduce((sum, sample) => sum + sample.value, 0);
}

function eventNumbers(snapshot: readonly MetricSnapshot[]): [string, number][] {
  const own = `${prefix}events_`;
  return snapshot.filter((metric) => metric.name.startsWith(own) && metric.type !== "histogram")
    .map((metric) => [metric.name.slice(own.length), valueOf(metric)] as const)
    .filter((entry): entry is [string, number] => typeof entry[1] === "number");
}
