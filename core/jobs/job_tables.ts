import { type Kysely, sql } from "kysely";
import type { Migrations } from "../storage/storage.ts";
import type { JobState } from "./job_state.ts";

/** One job. Times are milliseconds since 1970. */
export interface JobRow {
  id: string;
  name: string;
  project: string | null;
  state: JobState;
  /** JSON, as it was given. */
  input: string;
  dedupe_key: string | null;
  priority: number;
  /** Attempts begun since it was enqueued or last retried by hand. */
  attempt: number;
  /** Before that nothing happens to it. */
  run_at_ms: number;
  progress: number;
  message: string | null;
  /** JSON; null while there is none. */
  result: string | null;
  /** JSON `{message, code}` of the last attempt that failed. */
  error: string | null;
  /** 1 once somebody asked for its end while it runs. */
  cancel_requested: number;
  /** Secret of the run that holds it: what comes without it comes too late. */
  lease_token: string | null;
  lease_until_ms: number | null;
  /** Agent that runs it, or ran it last. */
  node_id: string | null;
  correlation_id: string;
  causation_id: string | null;
  traceparent: string | null;
  /** Name of the key behind the call that enqueued it. */
  created_by: string | null;
  created_ms: number;
  /** Begin of the last attempt. */
  started_ms: number | null;
  ended_ms: number | null;
  /** Of the last change, by the clock of the database. */
  updated_ms: number;
  /** Counts the changes. */
  version: number;
}

/** A job without what may be large. */
export type JobSummary = Omit<JobRow, "input" | "result">;

/** Columns of a JobSummary. */
export const summaryColumns = [
  "id",
  "name",
  "project",
  "state",
  "dedupe_key",
  "priority",
  "attempt",
  "run_at_ms",
  "progress",
  "message",
  "error",
  "cancel_requested",
  "lease_token",
  "lease_until_ms",
  "node_id",
  "correlation_id",
  "causation_id",
  "traceparent",
  "created_by",
  "created_ms",
  "started_ms",
  "ended_ms",
  "updated_ms",
  "version",
] as const satisfies readonly (keyof JobSummary)[];

/** Tables of the kernel's jobs. */
export interface JobTables {
  jobs_job: JobRow;
}

/** Append-only. */
export const jobMigrations: Migrations = {
  "001_jobs": {
    async up(db) {
      await createTable(db);
      // Literals, not parameters: only then do planners see that a partial index serves.
      for (const statement of indexes) await sql.raw(`create ${statement}`).execute(db);
    },
  },
};

async function createTable(db: Kysely<unknown>): Promise<void> {
  const text = ["id", "name", "state", "input", "correlation_id"];
  const optionalText = ["project", "dedupe_key", "message", "result", "error", "lease_token", "node_id"];
  const origin = ["causation_id", "traceparent", "created_by"];
  const number = ["run_at_ms", "created_ms", "updated_ms"];
  const optionalNumber = ["lease_until_ms", "started_ms", "ended_ms"];
  const counters = ["priority", "attempt", "progress", "cancel_requested", "version"];
  let table = db.schema.createTable("jobs_job");
  for (const name of text) {
    table = table.addColumn(name, "text", (column) => name === "id" ? column.primaryKey() : column.notNull());
  }
  for (const name of [...optionalText, ...origin]) table = table.addColumn(name, "text");
  for (const name of number) table = table.addColumn(name, "bigint", (column) => column.notNull());
  for (const name of optionalNumber) table = table.addColumn(name, "bigint");
  for (const name of counters) {
    const type = name === "progress" ? "double precision" : "integer";
    table = table.addColumn(name, type, (column) => column.notNull().defaultTo(0));
  }
  await table.execute();
}

const queued = "state in ('pending', 'waiting')";

const indexes = [
  "unique index jobs_job_dedupe on jobs_job (name, dedupe_key) " +
  `where dedupe_key is not null and state in ('pending', 'waiting', 'running')`,
  `index jobs_job_order on jobs_job (name, priority desc, run_at_ms, id) where ${queued}`,
  `index jobs_job_due on jobs_job (name, run_at_ms) where ${queued}`,
  "index jobs_job_running on jobs_job (name, project) where state = 'running'",
  "index jobs_job_created on jobs_job (created_ms, id)",
  "index jobs_job_state on jobs_job (state, created_ms, id)",
  "index jobs_job_name on jobs_job (name, created_ms, id)",
  "index jobs_job_project on jobs_job (project, created_ms, id)",
  "index jobs_job_ended on jobs_job (ended_ms, id) where ended_ms is not null",
  "index jobs_job_updated on jobs_job (updated_ms)",
];
