import { sql } from "kysely";
import type { Migrations } from "../storage/storage.ts";

/** What becomes of occurrences that nobody was there for. */
export const missedPolicies = ["skip", "once", "all"] as const;
/** Why a run came to be. */
export const runReasons = ["due", "missed", "manual"] as const;

/** One schedule of a user. Times are milliseconds since 1970. */
export interface ScheduleRow {
  id: string;
  name: string;
  project: string | null;
  /** Name of the job that it starts. */
  job: string;
  /** JSON, as it was given. */
  input: string;
  /** JSON of a TimingRule. */
  timing: string;
  priority: number;
  missed: typeof missedPolicies[number];
  /** 1 where a run may begin while the job of another one is unfinished. */
  overlap: number;
  enabled: number;
  /** When it is due; null while it is disabled, and where nothing comes any more. */
  next_ms: number | null;
  created_by: string | null;
  created_ms: number;
  updated_ms: number;
}

/** One occurrence that was claimed. */
export interface RunRow {
  id: string;
  schedule_id: string;
  planned_ms: number;
  reason: typeof runReasons[number];
  created_ms: number;
  node_id: string;
  /** Null where no job was started. */
  job_id: string | null;
  /** Why none was started. */
  note: string | null;
  /** How its job ended; null before, and without a job. */
  outcome: "completed" | "failed" | "cancelled" | null;
}

/** Tables of the kernel's schedules. */
export interface ScheduleTables {
  schedules_schedule: ScheduleRow;
  schedules_run: RunRow;
}

/** Append-only. */
export const scheduleMigrations: Migrations = {
  "001_schedules": {
    async up(db) {
      await db.schema.createTable("schedules_schedule")
        .addColumn("id", "text", (column) => column.primaryKey())
        .addColumn("name", "text", (column) => column.notNull())
        .addColumn("project", "text")
        .addColumn("job", "text", (column) => column.notNull())
        .addColumn("input", "text", (column) => column.notNull())
        .addColumn("timing", "text", (column) => column.notNull())
        .addColumn("priority", "integer", (column) => column.notNull())
        .addColumn("missed", "text", (column) => column.notNull())
        .addColumn("overlap", "integer", (column) => column.notNull())
        .addColumn("enabled", "integer", (column) => column.notNull())
        .addColumn("next_ms", "bigint")
        .addColumn("created_by", "text")
        .addColumn("created_ms", "bigint", (column) => column.notNull())
        .addColumn("updated_ms", "bigint", (column) => column.notNull())
        .execute();
      await db.schema.createTable("schedules_run")
        .addColumn("id", "text", (column) => column.primaryKey())
        .addColumn("schedule_id", "text", (column) => column.notNull())
        .addColumn("planned_ms", "bigint", (column) => column.notNull())
        .addColumn("reason", "text", (column) => column.notNull())
        .addColumn("created_ms", "bigint", (column) => column.notNull())
        .addColumn("node_id", "text", (column) => column.notNull())
        .addColumn("job_id", "text")
        .addColumn("note", "text")
        .addColumn("outcome", "text")
        .execute();
      for (const statement of indexes) await sql.raw(`create ${statement}`).execute(db);
    },
  },
};

const indexes = [
  "index schedules_schedule_due on schedules_schedule (next_ms) where next_ms is not null",
  "index schedules_schedule_job on schedules_schedule (job)",
  // Whoever inserts it has the occurrence; calls by hand are nobody's occurrence.
  "unique index schedules_run_planned on schedules_run (schedule_id, planned_ms) where reason <> 'manual'",
  "index schedules_run_schedule on schedules_run (schedule_id, created_ms, id)",
  "index schedules_run_open on schedules_run (job_id) where job_id is not null and outcome is null",
];
