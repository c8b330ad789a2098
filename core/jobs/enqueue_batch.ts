import type { Transaction } from "kysely";
import { setImmediate } from "node:timers";
import type { Principal } from "../http/principal.ts";
import type { Enqueued } from "./job.ts";
import type { JobBoard } from "./job_board.ts";
import { jobEnqueued } from "./job_events.ts";
import type { JobStore, NewJob } from "./job_store.ts";
import type { JobSummary, JobTables } from "./job_tables.ts";
import { newsOf } from "./news_of.ts";
import { type SharedTransaction, tooManyPending } from "./shared_transaction.ts";

/** Jobs of one statement at the most. */
const maxTogether = 64;
/** Jobs that may wait. */
const maxWaiting = 10_000;

/** A job with whose call it is. */
export interface Entry {
  readonly job: NewJob;
  readonly by: Principal | undefined;
}

interface Waiting {
  readonly entry: Entry;
  readonly resolve: (enqueued: Enqueued) => void;
  readonly reject: (error: unknown) => void;
}

interface EnqueueBatchOptions {
  readonly store: JobStore;
  readonly board: JobBoard;
  readonly writes: SharedTransaction<JobTables>;
}

/** Lets jobs that are enqueued at the same time share one statement. */
export class EnqueueBatch {
  readonly #options: EnqueueBatchOptions;
  #waiting: Waiting[] = [];
  #running: Promise<void> | undefined;

  constructor(options: EnqueueBatchOptions) {
    this.#options = options;
  }

  /** Resolves when the job is on disk. Rejects with Problem 503 where too many wait. */
  add(entry: Entry): Promise<Enqueued> {
    if (this.#waiting.length >= maxWaiting) return Promise.reject(tooManyPending());
    const { promise, resolve, reject } = Promise.withResolvers<Enqueued>();
    this.#waiting.push({ entry, resolve, reject });
    this.#running ??= this.#run();
    return promise;
  }

  /** Stores jobs in the caller's transaction. */
  async insert(trx: Transaction<JobTables>, entries: readonly Entry[]): Promise<Enqueued[]> {
    const { store } = this.#options;
    const inserted = new Map<string, JobSummary>();
    for (const row of await store.insertAll(trx, entries.map(({ job }) => job))) inserted.set(row.id, row);
    const results: Enqueued[] = [];
    for (const { job, by } of entries) {
      // What is not there has the dedupe key of an unfinished one, or of one that has just ended.
      const { row = inserted.get(job.id), duplicateOf } = inserted.has(job.id)
        ? {}
        : await store.insert(trx, job);
      if (row) await this.#tell(trx, row, by);
      results.push({ id: duplicateOf ?? job.id, duplicate: duplicateOf !== undefined });
    }
    return results;
  }

  async #run(): Promise<void> {
    while (this.#waiting.length > 0) {
      // One turn of the event loop: whatever comes with this job joins its statement.
      await new Promise<void>((resolve) => setImmediate(resolve));
      const together = this.#waiting.splice(0, maxTogether);
      try {
        await this.#store(together);
      } catch (error) {
        if (together.length === 1) together[0]!.reject(error);
        else for (const one of together) await this.#store([one]).catch(one.reject);
      }
    }
    this.#running = undefined;
  }

  async #store(together: readonly Waiting[]): Promise<void> {
    const entries = together.map(({ entry }) => entry);
    const enqueued = await this.#options.writes.run((trx) => this.insert(trx, entries));
    together.forEach(({ resolve }, index) => resolve(enqueued[index]!));
  }

  async #tell(trx: Transaction<JobTables>, row: JobSummary, by: Principal | undefined): Promise<void> {
    const data = { ...newsOf(row), run_at: new Date(row.run_at_ms).toISOString(), priority: row.priority };
    await this.#options.board.postIn(trx, row, { event: jobEnqueued, data, by });
  }
}
