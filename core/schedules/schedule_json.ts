import { z } from "@hono/zod-openapi";
import { jobStates } from "../jobs/job_state.ts";
import type { RunWithState } from "./schedule_store.ts";
import { missedPolicies, runReasons, type ScheduleRow } from "./schedule_tables.ts";
import { timezoneSchema, Timing, type TimingRule, whenSchema, windowSchema } from "./timing.ts";

/** Moments that are shown in advance. */
const shownNext = 5;

const time = z.string().openapi({ format: "date-time" });
const json = z.unknown().openapi({ description: "Any JSON value" });
const project = z.string().regex(/^[a-z0-9-]{1,50}$/, "expected a slug such as my-project");

/** What makes up a schedule, as it is sent; a change sends what is to change. */
const parts = {
  name: z.string().min(1).max(255),
  job: z.string().min(1).max(100).describe("Name of a job, see `GET /api/jobs/names`"),
  input: json.optional().describe("What the job is given; checked by the job's schema"),
  when: whenSchema,
  timezone: timezoneSchema,
  window: windowSchema,
  project: project.nullable(),
  priority: z.int().min(-100).max(100),
  missed: z.enum(missedPolicies).describe("What becomes of occurrences that no agent was there for"),
  overlap: z.boolean().describe("Whether a run may begin while the job of another one is unfinished"),
  enabled: z.boolean(),
};

/** Body of `POST /api/schedules`. */
export const newSchedule = z.strictObject({
  ...parts,
  timezone: parts.timezone.default("UTC"),
  window: parts.window.default({}),
  project: parts.project.default(null),
  priority: parts.priority.default(0),
  missed: parts.missed.default("skip"),
  overlap: parts.overlap.default(false),
  enabled: parts.enabled.default(true),
}).openapi("NewSchedule");

/** Body of `PATCH /api/schedules/{id}`. */
export const scheduleChange = z.strictObject(parts).partial().openapi("ScheduleChange");

/** A schedule as lists show it. */
export const scheduleItem = z.object({
  ...parts,
  id: z.string(),
  state: z.enum(["active", "disabled", "done", "blocked"])
    .describe("`done`: nothing comes any more; `blocked`: no plugin of this agent does the job"),
  blocked_reason: z.string().nullable(),
  next_runs: z.array(time).describe("Up to five; none unless it is active or blocked"),
  created_by: z.string().nullable(),
  created_at: time,
  updated_at: time,
}).openapi("Schedule");

/** One occurrence that an agent took. */
export const scheduleRun = z.object({
  id: z.string(),
  planned_at: time,
  triggered_at: time,
  reason: z.enum(runReasons),
  state: z.enum([...jobStates, "skipped", "forgotten"])
    .describe("That of its job; `skipped` where it started none, `forgotten` where the job was removed"),
  job_id: z.string().nullable(),
  note: z.string().nullable().describe("Why it started no job"),
  node_id: z.string(),
}).openapi("ScheduleRun");

/** A schedule with its last runs. */
export const scheduleDetail = scheduleItem.extend({
  runs: z.array(scheduleRun).describe("The last 20, the newest first"),
  success_rate: z.number().nullable().describe("Completed of completed and failed among these, 0 to 1"),
  conflicts: z.array(z.object({ id: z.string(), name: z.string(), at: time }))
    .describe("Other enabled schedules of the same job and project that run within a minute of it"),
}).openapi("ScheduleDetail");

/** The JSON of a schedule without its runs. */
export function scheduleJson(
  row: ScheduleRow,
  { nowMs, isRegistered }: { nowMs: number; isRegistered: (job: string) => boolean },
): z.output<typeof scheduleItem> {
  const { when, timezone, window } = JSON.parse(row.timing) as TimingRule;
  const state = stateOf(row, isRegistered);
  return {
    id: row.id,
    name: row.name,
    state,
    blocked_reason: state === "blocked"
      ? `No plugin of this agent does jobs named "${row.job}"; it goes on when one does`
      : null,
    job: row.job,
    input: JSON.parse(row.input),
    when,
    timezone,
    window,
    project: row.project,
    priority: row.priority,
    missed: row.missed,
    overlap: row.overlap === 1,
    enabled: row.enabled === 1,
    next_runs: nextRuns(row, nowMs).map(timeOf),
    created_by: row.created_by,
    created_at: timeOf(row.created_ms),
    updated_at: timeOf(row.updated_ms),
  };
}

/** The JSON of a run. */
export function runJson(run: RunWithState): z.output<typeof scheduleRun> {
  return {
    id: run.id,
    planned_at: timeOf(run.planned_ms),
    triggered_at: timeOf(run.created_ms),
    reason: run.reason,
    state: run.job_id === null ? "skipped" : run.state ?? run.outcome ?? "forgotten",
    job_id: run.job_id,
    note: run.note,
    node_id: run.node_id,
  };
}

/** The next moments of a schedule; none while it is disabled. */
export function nextRuns({ next_ms, timing }: ScheduleRow, nowMs: number): number[] {
  if (next_ms === null) return [];
  return new Timing(JSON.parse(timing)).upcoming(shownNext, nowMs);
}

function stateOf(row: ScheduleRow, isRegistered: (job: string) => boolean) {
  if (row.enabled === 0) return "disabled";
  if (row.next_ms === null) return "done";
  return isRegistered(row.job) ? "active" : "blocked";
}

function timeOf(ms: number): string {
  return new Date(ms).toISOString();
}
