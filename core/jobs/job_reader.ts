import { type Kysely, sql, type SqlBool } from "kysely";
import type { Storage } from "../storage/storage.ts";
import type { JobState } from "./job_state.ts";
import { queued } from "./job_store.ts";
import { type JobRow, type JobSummary, type JobTables, summaryColumns } from "./job_tables.ts";

/** A place in the list of jobs: what comes after it is the next page. */
export type JobPosition = Pick<JobRow, "created_ms" | "id">;

/** Which jobs are meant; what is undefined does not matter. */
export interface JobFilter {
  readonly state?: JobState | undefined;
  readonly name?: string | undefined;
  readonly project?: string | undefined;
  /** Enqueued then or later. */
  readonly sinceMs?: number | undefined;
  /** Only those of these projects. */
  readonly projects?: readonly string[] | undefined;
}

/** A job that has ended, as statistics need it. */
export type EndedJob = Pick<JobRow, "id" | "state" | "started_ms" | "ended_ms">;

const running = sql<SqlBool>`state = 'running'`;

/** Everything that SQL tells about jobs without changing them. */
export class JobReader {
  readonly #db: Kysely<JobTables>;

  constructor(storage: Storage) {
    this.#db = storage.tables<JobTables>();
  }

  async find(id: string): Promise<JobRow | undefined> {
    return await this.#db.selectFrom("jobs_job").selectAll().where("id", "=", id).executeTakeFirst();
  }

  /** One page, the newest first. */
  async list(
    filter: JobFilter,
    { limit, after }: { limit: number; after?: JobPosition | undefined },
  ): Promise<JobSummary[]> {
    let query = this.#filtered(filter).select(summaryColumns)
      .orderBy("created_ms", "desc").orderBy("id", "desc").limit(limit);
    if (after) {
      query = query.where("created_ms", "<=", after.created_ms).where((where) =>
        where.or([where("created_ms", "<", after.created_ms), where("id", "<", after.id)])
      );
    }
    return await query.execute();
  }

  /** When the first job of this name is due; undefined where none waits. */
  async firstDue(name: string): Promise<number | undefined> {
    const row = await this.#db.selectFrom("jobs_job").select("run_at_ms").where(queued)
      .where("name", "=", name).orderBy("run_at_ms").limit(1).executeTakeFirst();
    return row?.run_at_ms;
  }

  /** What became of runs that an agent holds. */
  async held(
    ids: readonly string[],
  ): Promise<Pick<JobRow, "id" | "lease_token" | "state" | "cancel_requested">[]> {
    return await this.#db.selectFrom("jobs_job").select(["id", "lease_token", "state", "cancel_requested"])
      .where("id", "in", [...ids]).execute();
  }

  /** Runs of one agent. */
  async runningOn(nodeId: string): Promise<JobSummary[]> {
    return await this.#db.selectFrom("jobs_job").select(summaryColumns).where(running)
      .where("node_id", "=", nodeId).execute();
  }

  /** Jobs that changed then or later, in that order. */
  async changedSince(updatedMs: number, limit: number): Promise<JobSummary[]> {
    return await this.#db.selectFrom("jobs_job").select(summaryColumns)
      .where("updated_ms", ">=", updatedMs).orderBy("updated_ms").orderBy("id").limit(limit).execute();
  }

  /** Time of the last change of all; 0 where there is none. */
  async lastChange(): Promise<number> {
    const row = await this.#db.selectFrom("jobs_job").select("updated_ms").orderBy("updated_ms", "desc")
      .limit(1).executeTakeFirst();
    return row?.updated_ms ?? 0;
  }

  /** How many are unfinished, by state. */
  async countUnfinished(filter: JobFilter = {}): Promise<Record<"pending" | "waiting" | "running", number>> {
    const counts = { pending: 0, waiting: 0, running: 0 };
    for (const state of ["pending", "waiting", "running"] as const) {
      const row = await this.#filtered({ ...filter, state }).select(sql<number>`count(*)`.as("count"))
        .executeTakeFirstOrThrow();
      counts[state] = Number(row.count);
    }
    return counts;
  }

  /** Since when the job is due that has been waiting longest; undefined where none waits. */
  async oldestDue(nowMs: number, filter: JobFilter = {}): Promise<number | undefined> {
    const { run_at_ms } = await this.#filtered(filter).select(
      sql<number | null>`min(run_at_ms)`.as("run_at_ms"),
    )
      .where(queued).where("run_at_ms", "<=", nowMs).executeTakeFirstOrThrow();
    return run_at_ms ?? undefined;
  }

  /** Ended jobs, the last one first. */
  async ended(
    filter: JobFilter & { endedSinceMs: number },
    { limit, after }: { limit: number; after?: EndedJob | undefined },
  ): Promise<EndedJob[]> {
    let query = this.#filtered(filter).select(["id", "state", "started_ms", "ended_ms"])
      .where(sql<SqlBool>`ended_ms is not null`).where("ended_ms", ">=", filter.endedSinceMs)
      .orderBy("ended_ms", "desc").orderBy("id", "desc").limit(limit);
    if (after) {
      query = query.where("ended_ms", "<=", after.ended_ms!).where((where) =>
        where.or([where("ended_ms", "<", after.ended_ms!), where("id", "<", after.id)])
      );
    }
    return await query.execute();
  }

  #filtered({ state, name, project, sinceMs, projects }: JobFilter) {
    let query = this.#db.selectFrom("jobs_job");
    if (state !== undefined) query = query.where("state", "=", state);
    if (name !== undefined) query = query.where("name", "=", name);
    if (project !== undefined) query = query.where("project", "=", project);
    if (sinceMs !== undefined) query = query.where("created_ms", ">=", sinceMs);
    if (projects !== undefined) {
      query = projects.length === 0
        ? query.where(sql<SqlBool>`1 = 0`)
        : query.where("project", "in", [...projects]);
    }
    return query;
  }
}
