import { type Kysely, type SelectQueryBuilder, sql, type SqlBool, type Transaction } from "kysely";
import type { JobState } from "../jobs/job_state.ts";
import type { JobTables } from "../jobs/job_tables.ts";
import type { Storage } from "../storage/storage.ts";
import type { RunRow, ScheduleRow, ScheduleTables } from "./schedule_tables.ts";

/** The tables of schedules, and those of the jobs that they start. */
type Tables = ScheduleTables & JobTables;
/** A transaction in which schedules, jobs and events change together. */
export type ScheduleTrx = Transaction<Tables>;

/** A run with the state of its job; null where that is forgotten, or none was started. */
export type RunWithState = RunRow & { readonly state: JobState | null };

/** Which schedules are meant; what is undefined does not matter. */
export interface ScheduleFilter {
  readonly project?: string | undefined;
  readonly job?: string | undefined;
  readonly enabled?: boolean | undefined;
  /** Only those of these projects. */
  readonly projects?: readonly string[] | undefined;
}

/** A place in the list: what comes after it is the next page. */
export type SchedulePosition = Pick<ScheduleRow, "created_ms" | "id">;

const unfinished = ["pending", "waiting", "running"] as const;
/** Runs of one schedule that are kept. */
const keptRuns = 100;

/** Everything that SQL does about schedules. */
export class ScheduleStore {
  readonly #storage: Storage;
  readonly db: Kysely<Tables>;

  constructor(storage: Storage) {
    this.#storage = storage;
    this.db = storage.tables<Tables>();
  }

  async find(id: string): Promise<ScheduleRow | undefined> {
    return await this.db.selectFrom("schedules_schedule").selectAll().where("id", "=", id).executeTakeFirst();
  }

  /** As `find`; nobody else changes it until this transaction ends. */
  async lock(trx: ScheduleTrx, id: string): Promise<ScheduleRow | undefined> {
    const query = trx.selectFrom("schedules_schedule").selectAll().where("id", "=", id);
    return await (this.#storage.kind === "postgres" ? query.forUpdate() : query).executeTakeFirst();
  }

  /** As `lock`, where it is due still and nobody else is at it. */
  async lockDue(
    trx: ScheduleTrx,
    { id, nowMs }: { id: string; nowMs: number },
  ): Promise<ScheduleRow | undefined> {
    const query = trx.selectFrom("schedules_schedule").selectAll().where("id", "=", id)
      .where("next_ms", "<=", nowMs);
    return await (this.#storage.kind === "postgres" ? query.forUpdate().skipLocked() : query)
      .executeTakeFirst();
  }

  async insert(trx: ScheduleTrx, row: ScheduleRow): Promise<void> {
    await trx.insertInto("schedules_schedule").values(row).execute();
  }

  async update(trx: ScheduleTrx, { id, set }: { id: string; set: Partial<ScheduleRow> }): Promise<void> {
    await trx.updateTable("schedules_schedule").set(set).where("id", "=", id).execute();
  }

  /** Removes a schedule and the record of its runs; its jobs stay. */
  async delete(trx: ScheduleTrx, id: string): Promise<void> {
    await trx.deleteFrom("schedules_run").where("schedule_id", "=", id).execute();
    await trx.deleteFrom("schedules_schedule").where("id", "=", id).execute();
  }

  async count(trx: ScheduleTrx): Promise<number> {
    const row = await trx.selectFrom("schedules_schedule").select(sql<number>`count(*)`.as("count"))
      .executeTakeFirstOrThrow();
    return Number(row.count);
  }

  /** One page, the newest first. */
  async list(
    filter: ScheduleFilter,
    { limit, after }: { limit: number; after?: SchedulePosition | undefined },
  ): Promise<ScheduleRow[]> {
    let query = filtered(this.db.selectFrom("schedules_schedule"), filter).selectAll()
      .orderBy("created_ms", "desc").orderBy("id", "desc").limit(limit);
    if (after) {
      query = query.where("created_ms", "<=", after.created_ms).where((where) =>
        where.or([where("created_ms", "<", after.created_ms), where("id", "<", after.id)])
      );
    }
    return await query.execute();
  }

  /** Other enabled schedules of the same job and project. */
  async likeThis({ id, job, project }: ScheduleRow, limit: number): Promise<ScheduleRow[]> {
    const query = this.db.selectFrom("schedules_schedule").selectAll().where("job", "=", job)
      .where("id", "<>", id).where("next_ms", "is not", null).orderBy("created_ms").limit(limit);
    return await (project === null
      ? query.where("project", "is", null)
      : query.where("project", "=", project)).execute();
  }

  /** Which schedules are due, the longest waiting first. */
  async due(nowMs: number, limit: number): Promise<Pick<ScheduleRow, "id" | "job">[]> {
    return await this.db.selectFrom("schedules_schedule").select(["id", "job"])
      .where("next_ms", "<=", nowMs).orderBy("next_ms").orderBy("id").limit(limit).execute();
  }

  /** When the next one is due; undefined where none will be. */
  async nextDue(nowMs: number): Promise<number | undefined> {
    const row = await this.db.selectFrom("schedules_schedule").select("next_ms")
      .where("next_ms", ">", nowMs).orderBy("next_ms").limit(1).executeTakeFirst();
    return row?.next_ms ?? undefined;
  }

  /** Those that are not due yet. */
  async future(nowMs: number): Promise<ScheduleRow[]> {
    return await this.db.selectFrom("schedules_schedule").selectAll().where("next_ms", ">", nowMs).execute();
  }

  /** Makes one due earlier, unless it has changed since. */
  async bringForward(id: string, { fromMs, toMs }: { fromMs: number; toMs: number }): Promise<void> {
    await this.db.updateTable("schedules_schedule").set({ next_ms: toMs }).where("id", "=", id)
      .where("next_ms", "=", fromMs).execute();
  }

  /** False where somebody has this occurrence already. */
  async claim(trx: ScheduleTrx, run: RunRow): Promise<boolean> {
    const { numInsertedOrUpdatedRows } = await trx.insertInto("schedules_run").values(run)
      .onConflict((conflict) => conflict.doNothing()).executeTakeFirst();
    return Number(numInsertedOrUpdatedRows ?? 0) > 0;
  }

  async endClaim(
    trx: ScheduleTrx,
    { id, set }: { id: string; set: Pick<RunRow, "job_id"> | Pick<RunRow, "note"> },
  ): Promise<void> {
    await trx.updateTable("schedules_run").set(set).where("id", "=", id).execute();
  }

  /** A job of this schedule that has not ended. */
  async unfinishedJob(trx: ScheduleTrx, scheduleId: string): Promise<string | undefined> {
    const row = await trx.selectFrom("schedules_run").innerJoin("jobs_job", "jobs_job.id", "job_id")
      .select("jobs_job.id").where("schedule_id", "=", scheduleId)
      .where("state", "in", [...unfinished]).limit(1).executeTakeFirst();
    return row?.id;
  }

  /** The last runs, the newest first. */
  async runs(scheduleId: string, limit: number): Promise<RunWithState[]> {
    return await this.db.selectFrom("schedules_run").leftJoin("jobs_job", "jobs_job.id", "job_id")
      .selectAll("schedules_run").select("jobs_job.state").where("schedule_id", "=", scheduleId)
      .orderBy("schedules_run.created_ms", "desc").orderBy("schedules_run.planned_ms", "desc")
      .orderBy("schedules_run.id", "desc").limit(limit).execute();
  }

  /** Keeps how jobs ended, which outlives them, and forgets old runs. */
  async tidy(): Promise<void> {
    await sql`update schedules_run set outcome = (select state from jobs_job where jobs_job.id = job_id)
      where outcome is null and job_id in
      (select id from jobs_job where state in ('completed', 'failed', 'cancelled'))`.execute(this.db);
    await sql`delete from schedules_run where id in (select id from (select id, job_id, row_number() over
      (partition by schedule_id order by created_ms desc, planned_ms desc, id desc) as place
      from schedules_run) as ranked where place > ${keptRuns} and not exists (select 1 from jobs_job
      where jobs_job.id = ranked.job_id and state in ('pending', 'waiting', 'running')))`.execute(this.db);
  }
}

function filtered<Query extends SelectQueryBuilder<Tables, "schedules_schedule", object>>(
  query: Query,
  { project, job, enabled, projects }: ScheduleFilter,
): SelectQueryBuilder<Tables, "schedules_schedule", object> {
  let narrowed: SelectQueryBuilder<Tables, "schedules_schedule", object> = query;
  if (project !== undefined) narrowed = narrowed.where("project", "=", project);
  if (job !== undefined) narrowed = narrowed.where("job", "=", job);
  if (enabled !== undefined) narrowed = narrowed.where("enabled", "=", enabled ? 1 : 0);
  if (projects === undefined) return narrowed;
  return projects.length === 0
    ? narrowed.where(sql<SqlBool>`1 = 0`)
    : narrowed.where("project", "in", [...projects]);
}
