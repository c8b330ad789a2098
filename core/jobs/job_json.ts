import { z } from "@hono/zod-openapi";
import { jobStates } from "./job_state.ts";
import type { JobRow, JobSummary } from "./job_tables.ts";

const time = z.string().openapi({ format: "date-time" });
const json = z.unknown().openapi({ description: "Any JSON value" });

/** A job as lists and streams show it. */
export const jobItem = z.object({
  id: z.string(),
  name: z.string(),
  state: z.enum(jobStates),
  project: z.string().nullable(),
  progress: z.number().describe("0 to 100"),
  message: z.string().nullable().describe("What it is doing, in its own words"),
  error: z.object({ message: z.string(), code: z.string() }).nullable()
    .describe("Of the last attempt that failed"),
  attempt: z.int().describe("Attempts begun"),
  priority: z.int(),
  dedupe_key: z.string().nullable(),
  cancelling: z.boolean().describe("Whether it runs, and was told to end"),
  registered: z.boolean().describe(
    "Whether a plugin of this agent does such jobs; others wait for one that does",
  ),
  node_id: z.string().nullable().describe("The agent that runs it, or ran it last"),
  correlation_id: z.string(),
  causation_id: z.string().nullable(),
  created_by: z.string().nullable().describe("Name of the key behind the call that enqueued it"),
  created_at: time,
  run_at: time.describe("Not before"),
  started_at: time.nullable().describe("Begin of the last attempt"),
  ended_at: time.nullable(),
}).openapi("Job");

/** A job with all that is known about it. */
export const jobDetail = jobItem.extend({ input: json, result: json }).openapi("JobDetail");

/** Whether this agent does jobs of that name. */
export type IsRegistered = (name: string) => boolean;

/** The JSON of a job without its input and result. */
export function jobJson(row: JobSummary, isRegistered: IsRegistered): z.output<typeof jobItem> {
  return {
    id: row.id,
    name: row.name,
    state: row.state,
    project: row.project,
    progress: Math.round(row.progress * 100) / 100,
    message: row.message,
    error: row.error === null ? null : JSON.parse(row.error),
    attempt: row.attempt,
    priority: row.priority,
    dedupe_key: row.dedupe_key,
    cancelling: row.state === "running" && row.cancel_requested === 1,
    registered: isRegistered(row.name),
    node_id: row.node_id,
    correlation_id: row.correlation_id,
    causation_id: row.causation_id,
    created_by: row.created_by,
    created_at: timeOf(row.created_ms),
    run_at: timeOf(row.run_at_ms),
    started_at: row.started_ms === null ? null : timeOf(row.started_ms),
    ended_at: row.ended_ms === null ? null : timeOf(row.ended_ms),
  };
}

/** The JSON of a job with its input and result. */
export function jobDetailJson(row: JobRow, isRegistered: IsRegistered): z.output<typeof jobDetail> {
  return {
    ...jobJson(row, isRegistered),
    input: JSON.parse(row.input),
    result: row.result === null ? null : JSON.parse(row.result),
  };
}

function timeOf(ms: number): string {
  return new Date(ms).toISOString();
}
