import { type Expression, type Kysely, sql, type SqlBool, type Transaction, type UpdateObject } from "kysely";
import type { Storage } from "../storage/storage.ts";
import { type MoveName, moves } from "./job_state.ts";
import { type JobRow, type JobSummary, type JobTables, summaryColumns } from "./job_tables.ts";

type Trx = Transaction<JobTables>;

/** What an author decides about a new job. */
export type NewJob = Pick<
  JobRow,
  | "id"
  | "name"
  | "project"
  | "input"
  | "dedupe_key"
  | "priority"
  | "run_at_ms"
  | "correlation_id"
  | "causation_id"
  | "traceparent"
  | "created_by"
  | "created_ms"
>;

/** A change of state of one job. */
export interface Change {
  readonly move: MoveName;
  readonly id: string;
  /** Of the run that makes the change; without it nobody's lease is asked for. */
  readonly token?: string | undefined;
  /** For `postpone`: only while nobody has asked for its end. */
  readonly unlessCancelled?: boolean;
  readonly nowMs: number;
  readonly set: UpdateObject<JobTables, "jobs_job">;
}

/** What an agent that takes up jobs is. */
export interface Claim {
  readonly ids: readonly string[];
  readonly token: string;
  readonly leaseMs: number;
  readonly nodeId: string;
  readonly nowMs: number;
}

/** In these words the partial indexes are declared. */
export const queued: Expression<SqlBool> = sql<SqlBool>`state in ('pending', 'waiting')`;
const running = sql<SqlBool>`state = 'running'`;
const unfinished = sql<SqlBool>`state in ('pending', 'waiting', 'running')`;
/** Looks at a dedupe key that is taken when a job is to be stored, and free when its owner is looked for. */
const maxTries = 10;
const fresh = { state: "pending", attempt: 0, progress: 0, cancel_requested: 0, version: 1 } as const;
const ended = sql<SqlBool>`ended_ms is not null`;

/** Everything that SQL changes about jobs; see JobReader for the rest. */
export class JobStore {
  readonly #storage: Storage;
  readonly db: Kysely<JobTables>;

  constructor(storage: Storage) {
    this.#storage = storage;
    this.db = storage.tables<JobTables>();
  }

  /** Stores a job, unless one with its dedupe key is unfinished. */
  async insert(trx: Trx, job: NewJob): Promise<{ readonly row?: JobSummary; readonly duplicateOf?: string }> {
    for (let tries = 0; tries < maxTries; tries++) {
      const [row] = await this.insertAll(trx, [job]);
      if (row) return { row };
      const other = await trx.selectFrom("jobs_job").select("id").where(unfinished)
        .where("name", "=", job.name).where("dedupe_key", "=", job.dedupe_key).executeTakeFirst();
      if (other) return { duplicateOf: other.id };
      // It has ended between the two looks: now there is room.
    }
    throw new Error(`Cannot store the job "${job.id}": its dedupe key is taken and free by turns`);
  }

  /** Stores jobs with one statement; those with a dedupe key that is taken are left out. */
  async insertAll(trx: Trx, jobs: readonly NewJob[]): Promise<JobSummary[]> {
    return await trx.insertInto("jobs_job")
      .values(jobs.map((job) => ({ ...job, ...fresh, updated_ms: this.#now(job.created_ms) })))
      .onConflict((conflict) => conflict.doNothing()).returning(summaryColumns).execute();
  }

  /** Makes one legal change of state; undefined where the job is not in a state for it, or the lease is lost. */
  async change(trx: Trx, change: Change): Promise<JobSummary | undefined> {
    const { from, to } = moves[change.move];
    let update = trx.updateTable("jobs_job")
      .set({ ...change.set, state: to, ...this.#touch(change.nowMs) })
      .where("id", "=", change.id).where("state", "in", [...from]);
    if (change.token !== undefined) update = update.where("lease_token", "=", change.token);
    if (change.unlessCancelled) update = update.where("cancel_requested", "=", 0);
    return await update.returning(summaryColumns).executeTakeFirst();
  }

  /** Jobs of one name that are due, the most urgent first; other agents pass over them until this transaction ends. */
  async candidates(
    trx: Trx,
    { name, nowMs, limit, notFor }: { name: string; nowMs: number; limit: number; notFor: readonly string[] },
  ): Promise<JobSummary[]> {
    let query = trx.selectFrom("jobs_job").select(summaryColumns)
      .where(queued).where("name", "=", name).where("run_at_ms", "<=", nowMs)
      .orderBy("priority", "desc").orderBy("run_at_ms").orderBy("id").limit(limit);
    if (notFor.length > 0) {
      query = query.where((where) =>
        where.or([where("project", "is", null), where("project", "not in", [...notFor])])
      );
    }
    return await this.#lockFree(query).execute();
  }

  /** Runs of one name on all agents, by project. Others that ask wait until this transaction ends. */
  async countRunning(trx: Trx, name: string): Promise<ReadonlyMap<string | null, number>> {
    if (this.#storage.kind === "postgres") {
      await sql`select pg_advisory_xact_lock(hashtextextended(${`jobs:${name}`}, 0))`.execute(trx);
    }
    const rows = await trx.selectFrom("jobs_job").select(["project", sql<number>`count(*)`.as("count")])
      .where(running).where("name", "=", name).groupBy("project").execute();
    return new Map(rows.map(({ project, count }) => [project, Number(count)]));
  }

  /** Begins an attempt of each; they are in a state for it, since this transaction has locked them. */
  async start(trx: Trx, { ids, token, leaseMs, nodeId, nowMs }: Claim): Promise<JobRow[]> {
    const { from, to } = moves.start;
    return await trx.updateTable("jobs_job").set((column) => ({
      state: to,
      attempt: sql<number>`attempt + 1`,
      progress: 0,
      message: null,
      lease_token: token,
      lease_until_ms: sql<number>`${this.#now(nowMs)} + ${leaseMs}`,
      node_id: nodeId,
      started_ms: nowMs,
      updated_ms: this.#now(nowMs),
      version: sql<number>`${column.ref("version")} + 1`,
    })).where("id", "in", [...ids]).where("state", "in", [...from]).returningAll().execute();
  }

  /** Makes leases last longer; those that are not returned are lost. */
  async renew(
    trx: Trx,
    { ids, tokens, leaseMs, nowMs }: {
      ids: readonly string[];
      tokens: readonly string[];
      leaseMs: number;
      nowMs: number;
    },
  ): Promise<Pick<JobRow, "id" | "cancel_requested">[]> {
    return await trx.updateTable("jobs_job")
      .set({ lease_until_ms: sql<number>`${this.#now(nowMs)} + ${leaseMs}` })
      .where(running).where("id", "in", [...ids]).where("lease_token", "in", [...tokens])
      .returning(["id", "cancel_requested"]).execute();
  }

  /** Runs whose agent has not renewed its lease in time. */
  async expired(trx: Trx, { nowMs, limit }: { nowMs: number; limit: number }): Promise<JobSummary[]> {
    const query = trx.selectFrom("jobs_job").select(summaryColumns).where(running)
      .where("lease_until_ms", "<", this.#now(nowMs)).orderBy("id").limit(limit);
    return await this.#lockFree(query).execute();
  }

  /** Writes down how far a run is; undefined where its lease is lost. */
  async setProgress(
    trx: Trx,
    { id, token, progress, message, nowMs }: {
      id: string;
      token: string;
      progress: number;
      message: string | null;
      nowMs: number;
    },
  ): Promise<JobSummary | undefined> {
    return await trx.updateTable("jobs_job").set({ progress, message, ...this.#touch(nowMs) })
      .where("id", "=", id).where("state", "=", "running").where("lease_token", "=", token)
      .returning(summaryColumns).executeTakeFirst();
  }

  /** Asks the agent that runs it for its end; undefined where it does not run. */
  async requestCancel(
    trx: Trx,
    { id, nowMs }: { id: string; nowMs: number },
  ): Promise<JobSummary | undefined> {
    return await trx.updateTable("jobs_job").set({ cancel_requested: 1, ...this.#touch(nowMs) })
      .where("id", "=", id).where("state", "=", "running").returning(summaryColumns).executeTakeFirst();
  }

  /** Removes a job that has ended; false where it has not. */
  async delete(trx: Trx, id: string): Promise<boolean> {
    const { numDeletedRows } = await trx.deleteFrom("jobs_job").where(ended).where("id", "=", id)
      .executeTakeFirst();
    return numDeletedRows > 0n;
  }

  /** Removes some that ended before `beforeMs`; returns how many. */
  async prune({ beforeMs, limit }: { beforeMs: number; limit: number }): Promise<number> {
    const old = this.db.selectFrom("jobs_job").select("id").where(ended).where("ended_ms", "<", beforeMs)
      .orderBy("ended_ms").limit(limit);
    const { numDeletedRows } = await this.db.deleteFrom("jobs_job").where("id", "in", old).where(ended)
      .executeTakeFirst();
    return Number(numDeletedRows);
  }

  /** Agents of one database share its clock; on SQLite there is one agent. */
  #now(nowMs: number): Expression<number> {
    return this.#storage.kind === "sqlite"
      ? sql<number>`${nowMs}`
      : sql<number>`(extract(epoch from clock_timestamp()) * 1000)::bigint`;
  }

  #touch(nowMs: number) {
    return { updated_ms: this.#now(nowMs), version: sql<number>`version + 1` };
  }

  #lockFree<Query extends { forUpdate(): { skipLocked(): Query } }>(query: Query): Query {
    return this.#storage.kind === "postgres" ? query.forUpdate().skipLocked() : query;
  }
}
