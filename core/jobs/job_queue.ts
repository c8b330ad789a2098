import { type Clock, newId } from "../clock.ts";
import { currentContext } from "../context.ts";
import { Problem } from "../errors.ts";
import { checkedInput } from "./checked_input.ts";
import { EnqueueBatch } from "./enqueue_batch.ts";
import type { Enqueued, EnqueueOptions, Job } from "./job.ts";
import type { JobBoard } from "./job_board.ts";
import { jobCancelled, jobRetried } from "./job_events.ts";
import { isEnd, isLegal, type MoveName } from "./job_state.ts";
import type { Change, JobStore, NewJob } from "./job_store.ts";
import type { JobRow, JobTables } from "./job_tables.ts";
import type { JobReader } from "./job_reader.ts";
import { newsOf } from "./news_of.ts";
import type { SharedTransaction } from "./shared_transaction.ts";

const maxKeyLength = 200;
const maxPriority = 100;
/** The largest time that still has four digits for its year. */
const latestMs = Date.parse("9999-12-31T00:00:00Z");

interface JobQueueOptions {
  readonly store: JobStore;
  readonly reader: JobReader;
  readonly writes: SharedTransaction<JobTables>;
  /** For new jobs. */
  readonly enqueues: SharedTransaction<JobTables>;
  readonly board: JobBoard;
  readonly clock: Clock;
  /** Told how long an `enqueue` took. */
  readonly onEnqueued: (seconds: number) => void;
}

/** What people and plugins do with jobs: enqueue, cancel, retry, delete. */
export class JobQueue {
  readonly #options: JobQueueOptions;
  readonly #batch: EnqueueBatch;

  constructor(options: JobQueueOptions) {
    this.#options = options;
    this.#batch = new EnqueueBatch({ ...options, writes: options.enqueues });
  }

  /**
   * Resolves when the job is on disk (with `trx`: when it is part of that). Rejects with Problem 422 for input or options
   * that do not fit, 413 for input that is too large, 503 where the change cannot be stored now.
   */
  async enqueue<Input, Given>(
    job: Job<Input, Given>,
    input: Given,
    options: EnqueueOptions = {},
  ): Promise<Enqueued> {
    const began = performance.now();
    const fresh = this.#newJob(job, { input, options });
    const { trx } = options;
    const entry = { job: fresh, by: currentContext()?.principal };
    const enqueued = trx ? (await this.#batch.insert(trx, [entry]))[0]! : await this.#batch.add(entry);
    this.#options.onEnqueued((performance.now() - began) / 1000);
    return enqueued;
  }

  /** Ends a job that waits; has one that runs end soon. Rejects with Problem 404, or 409 where it has ended otherwise. */
  async cancel(id: string): Promise<JobRow> {
    const { writes, store, board, clock } = this.#options;
    const by = currentContext()?.principal;
    await writes.run(async (trx) => {
      const nowMs = clock.now();
      const asked = await store.requestCancel(trx, { id, nowMs });
      if (asked) return void await board.postIn(trx, asked);
      const row = await store.change(trx, { move: "cancel", id, nowMs, set: { ended_ms: nowMs } });
      if (row) await board.postIn(trx, row, { event: jobCancelled, data: newsOf(row), by });
    });
    const row = await this.#known(id);
    if (row.state === "completed" || row.state === "failed") throw wrongState(row, "cancel");
    return row;
  }

  /** Has a job that failed or was cancelled begin anew, or one that waits begin now. Rejects with Problem 404 or 409. */
  async retry(id: string): Promise<JobRow> {
    const { writes, store, board, clock } = this.#options;
    const by = currentContext()?.principal;
    try {
      await writes.run(async (trx) => {
        const nowMs = clock.now();
        const set: Change["set"] = {
          run_at_ms: nowMs,
          attempt: 0,
          progress: 0,
          message: null,
          result: null,
          cancel_requested: 0,
          ended_ms: null,
          started_ms: null,
        };
        const row = await store.change(trx, { move: "retry", id, nowMs, set });
        if (row) return void await board.postIn(trx, row, { event: jobRetried, data: newsOf(row), by });
        throw wrongState(await this.#known(id), "retry");
      });
    } catch (error) {
      if (!isUniqueViolation(error)) throw error;
      throw new Problem(409, "job_duplicate", {
        detail: `Cannot retry "${id}": another job with its dedupe key is unfinished`,
        cause: error,
      });
    }
    return await this.#known(id);
  }

  /** Forgets a job that has ended. Rejects with Problem 404 or 409. */
  async delete(id: string): Promise<void> {
    const { writes, store } = this.#options;
    if (await writes.run((trx) => store.delete(trx, id))) return;
    const row = await this.#known(id);
    if (!isEnd(row.state)) throw wrongState(row, "delete");
  }

  async #known(id: string): Promise<JobRow> {
    const row = await this.#options.reader.find(id);
    if (row) return row;
    throw jobNotFound(id);
  }

  #newJob<Input, Given>(
    job: Job<Input, Given>,
    { input, options }: { input: Given; options: EnqueueOptions },
  ): NewJob {
    const { name } = job;
    const refuse = (state: string): never => {
      throw new Problem(422, "invalid_job_input", { detail: `Cannot enqueue "${name}": ${state}` });
    };
    const text = checkedInput(job, input);
    const { priority = 0, dedupeKey, project } = options;
    if (!Number.isInteger(priority) || Math.abs(priority) > maxPriority) {
      refuse(`the priority has to be a whole number, -${maxPriority} to ${maxPriority}`);
    }
    if (dedupeKey !== undefined && (dedupeKey === "" || dedupeKey.length > maxKeyLength)) {
      refuse(`the dedupe key has to have 1 to ${maxKeyLength} characters`);
    }
    const nowMs = this.#options.clock.now();
    const runAtMs = dueMs(options, nowMs);
    if (runAtMs === undefined) return refuse("give delayMs (0 or more) or runAt (RFC 3339), not both");
    const context = currentContext();
    return {
      id: newId(),
      name,
      project: project ?? null,
      input: text,
      dedupe_key: dedupeKey ?? null,
      priority,
      run_at_ms: runAtMs,
      correlation_id: options.correlationId ?? context?.correlationId ?? newId(),
      causation_id: context?.causationId ?? null,
      traceparent: context?.traceparent ?? null,
      created_by: context?.principal?.name ?? null,
      created_ms: nowMs,
    };
  }
}

/** Problem 404 for a job that is not there, or not for the caller. */
export function jobNotFound(id: string): Problem {
  return new Problem(404, "job_not_found", {
    detail: `There is no job with the id "${id}"; ended ones are forgotten after a while`,
  });
}

function dueMs({ delayMs, runAt }: EnqueueOptions, nowMs: number): number | undefined {
  if (delayMs !== undefined && runAt !== undefined) return undefined;
  const due = runAt === undefined ? nowMs + (delayMs ?? 0) : new Date(runAt).getTime();
  const isFine = Number.isFinite(due) && due <= latestMs && (delayMs ?? 0) >= 0;
  return isFine ? Math.max(Math.round(due), 0) : undefined;
}

function wrongState({ id, state }: JobRow, verb: MoveName | "delete"): Problem {
  const reason = verb === "delete" || isLegal(state, verb)
    ? `it is ${state}; cancel it first`
    : `it is ${state}`;
  return new Problem(409, "job_state", { detail: `Cannot ${verb} "${id}": ${reason}`, extras: { state } });
}

/** The database says so in its own words, or in a code. */
function isUniqueViolation(error: unknown): boolean {
  return (error as { code?: string }).code === "23505" ||
    (error instanceof Error && /UNIQUE constraint failed/.test(error.message));
}
