import { z } from "@hono/zod-openapi";
import { isPattern } from "../../../core/bus/subject.ts";
import { parseDuration } from "../../../core/units.ts";
import { parseTimeExpression } from "../search/time_expression.ts";
import type { ConsumerRow } from "./consumer_tables.ts";
import { narrowingOf, projectsOf } from "./consumer_view.ts";
import type { Load } from "./delivery_store.ts";

/** A duration in a request body, milliseconds out; `example` is also its description's. */
export function durationText(
  range: { min: number; max: number },
  { example, description }: { example: string; description: string },
): z.ZodType<number, string> {
  return z.string().max(20).transform((text, context) => {
    const ms = parseDuration(text);
    if (ms !== undefined && ms >= range.min && ms <= range.max) return Math.round(ms);
    const bounds = `${formatDuration(range.min)} to ${formatDuration(range.max)}`;
    context.addIssue({ code: "custom", message: `expected a duration such as ${example}, ${bounds}` });
    return z.NEVER;
  }).openapi({ type: "string", example, description });
}

/** Milliseconds as they are given in requests and settings, such as `30s`. */
export function formatDuration(ms: number): string {
  const units = [["d", 86_400_000], ["h", 3_600_000], ["m", 60_000], ["s", 1000]] as const;
  const unit = units.find(([, size]) => ms >= size && ms % size === 0);
  return unit ? `${ms / unit[1]}${unit[0]}` : `${ms}ms`;
}

const pattern = z.string().refine(isPattern, {
  message: "expected a subject or a pattern such as hub.*.demo.>",
});

const startTime = z.string().max(40).refine((text) => parseTimeExpression(text, 0) !== undefined, {
  message: "expected RFC 3339 (2026-01-31T12:00:00Z) or 15m, 2h, 7d",
});

/** Where a consumer begins. */
export const consumerStart = z.union([
  z.enum(["first", "new"]),
  z.strictObject({ seq: z.int().min(1).max(Number.MAX_SAFE_INTEGER - 1) }),
  z.strictObject({ time: startTime }),
], {
  error: 'expected "first", "new", {"seq": 42} or {"time": "2h"}',
});

/** Where a consumer begins, parsed. */
export type ConsumerStart = z.output<typeof consumerStart>;

/** What a consumer is made of. */
export const consumerBody = z.strictObject({
  subject: pattern.openapi({
    description:
      "Subject or pattern: `*` is one token, `>` at the end the rest. Without `hub.` it means any node",
    example: "hub.*.demo.>",
  }),
  type: pattern.optional().openapi({ description: "Only events of this type or pattern" }),
  project: z.string().regex(/^[a-z0-9-]{1,50}$/, "expected a slug of a-z, 0-9 and -").optional()
    .openapi({ description: "Only events about this project" }),
  origin: z.string().min(1).max(100).optional().openapi({
    description: "Only what the node of this id published",
  }),
  start: consumerStart.optional().openapi({
    description: "Where a new one begins: with the first event, with those from now on (default), with a " +
      "sequence, or with those stored since a time. For one that exists only the same as before is accepted",
    example: "first",
  }),
  ack_wait: durationText({ min: 10, max: 86_400_000 }, {
    example: "30s",
    description: "How long a worker has an event to itself, default 30s",
  }).prefault("30s"),
  max_deliveries: z.int().min(1).max(100).default(10).openapi({
    description: "Deliveries of one event before it becomes a dead letter",
  }),
  max_in_flight: z.int().min(1).max(10_000).default(1000).openapi({
    description:
      "Events that are delivered but not acknowledged, or wait for a further delivery, at the most",
  }),
  description: z.string().max(500).optional(),
}).openapi("ConsumerSettings");

/** What a consumer is made of, parsed. */
export type ConsumerSettings = z.output<typeof consumerBody>;

const optionalText = z.string().nullable();

/** A consumer as the API shows it. */
export const consumerItem = z.object({
  name: z.string(),
  subject: z.string(),
  type: optionalText,
  project: optionalText,
  origin: optionalText,
  projects: z.array(z.string()).nullable().describe("Projects of the key that made it; null = all"),
  owner: optionalText.describe("Plugin that handles its events in the agent; null = workers that fetch"),
  description: optionalText,
  start: consumerStart,
  ack_wait: z.string(),
  max_deliveries: z.int(),
  max_in_flight: z.int(),
  paused: z.boolean(),
  created_at: z.string(),
  position: z.int().describe("Everything up to this sequence was delivered or is none of its events"),
  lag: z.int().describe("Sequences of the log behind the position, which may hold events for it"),
  in_flight: z.int().describe("Delivered, and the worker still has time to answer"),
  waiting: z.int().describe("To be delivered again: given back, or not answered in time"),
  redelivered: z.int().describe("Of those two, delivered more than once"),
  oldest_unacked: z.int().nullable().describe("Lowest sequence that was delivered and is not acknowledged"),
  dead_letters: z.int().describe("Events that were given up"),
}).openapi("Consumer");

/** A consumer and how it stands, as the API shows it. */
export function consumerJson(
  row: ConsumerRow,
  { load, deadLetters, headSeq }: { load: Load; deadLetters: number; headSeq: number },
): z.output<typeof consumerItem> {
  const { type, project, origin } = narrowingOf(row.narrowing);
  return {
    name: row.name,
    subject: row.subject,
    type: type ?? null,
    project: project ?? null,
    origin: origin ?? null,
    projects: projectsOf(row.projects)?.slice() ?? null,
    owner: row.owner,
    description: row.description,
    start: JSON.parse(row.start),
    ack_wait: formatDuration(row.ack_wait_ms),
    max_deliveries: row.max_deliveries,
    max_in_flight: row.max_in_flight,
    paused: row.paused === 1,
    created_at: row.created_at,
    position: row.position,
    lag: Math.max(0, headSeq - row.position),
    in_flight: load.inFlight,
    waiting: load.pending - load.inFlight,
    redelivered: load.redelivered,
    oldest_unacked: load.oldestSeq,
    dead_letters: deadLetters,
  };
}
