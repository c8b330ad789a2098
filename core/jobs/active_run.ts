import type { Clock } from "../clock.ts";
import { messageOf } from "../errors.ts";
import type { LogProperties } from "../log.ts";
import { pause } from "../supervise.ts";
import { inSpan } from "../trace.ts";
import { type JobRun, PermanentFailure } from "./job.ts";
import type { JobBoard } from "./job_board.ts";
import type { JobReader } from "./job_reader.ts";
import type { JobStore } from "./job_store.ts";
import type { JobRow, JobSummary, JobTables } from "./job_tables.ts";
import { type AbortCause, decideOutcome, type Outcome, type WorkEnd } from "./outcome.ts";
import { type Progress, ProgressReport } from "./progress_report.ts";
import { recordOutcome } from "./record_outcome.ts";
import type { Registration } from "./registrations.ts";
import type { SharedTransaction } from "./shared_transaction.ts";

/** How long work gets to end after its signal, in milliseconds. */
const graceMs = 5000;
/** Wait before an outcome that could not be stored is tried again, in milliseconds. */
const retryMs = 500;

/** What every run of an agent shares. */
export interface RunParts {
  readonly store: JobStore;
  readonly reader: JobReader;
  readonly writes: SharedTransaction<JobTables>;
  readonly board: JobBoard;
  readonly clock: Clock;
  readonly random: () => number;
  /** After so long without a renewed lease the run ends itself, in milliseconds; Infinity where nobody else could take it. */
  readonly leaseEndMs: number;
  /** Aborted when the agent has stopped: what could not be stored until then never will. */
  readonly closing: AbortSignal;
  /** Told of each outcome that was recorded. */
  readonly onEnded: (run: { name: string; outcome: Outcome["move"]; seconds: number }) => void;
}

export interface ActiveRunOptions {
  readonly row: JobRow;
  readonly token: string;
  readonly registration: Registration;
  /** Event that told of its begin. */
  readonly startedEventId: string | undefined;
  readonly parts: RunParts;
}

const reasons: Readonly<Record<AbortCause, string>> = {
  cancelled: "The job was cancelled",
  timed_out: "The time limit of the job is over",
  stopping: "The plugin of the job is stopping",
  lease_lost: "The lease of the job was lost; another agent may have it",
};

/** One attempt under way: runs the work, and records what became of it. */
export class ActiveRun {
  readonly id: string;
  readonly name: string;
  readonly token: string;
  /** Resolves when the outcome is on disk, or given up; never rejects. */
  readonly recorded: Promise<void>;
  /** Resolves when the work itself is over too; never rejects. */
  readonly settled: Promise<void>;
  readonly #options: ActiveRunOptions;
  readonly #abort = new AbortController();
  readonly #ignored = Promise.withResolvers<WorkEnd>();
  readonly #report: ProgressReport;
  readonly #startedAt: number;
  #row: JobSummary;
  #cause: AbortCause | undefined;
  #isRecording = false;
  #grace: ReturnType<typeof setTimeout> | undefined;
  #lease: ReturnType<typeof setTimeout> | undefined;

  constructor(options: ActiveRunOptions) {
    const { row, registration, parts } = options;
    this.id = row.id;
    this.name = row.name;
    this.token = options.token;
    this.#options = options;
    this.#row = row;
    this.#startedAt = parts.clock.monotonic();
    this.#report = new ProgressReport({
      show: (progress) => parts.board.post(this.#row = { ...this.#row, ...progress }),
      save: (progress) => this.#save(progress),
    });
    this.renewed();
    const limit = setTimeout(() => this.abort("timed_out"), registration.timeLimitMs);
    const work = Promise.resolve().then(() => this.#work());
    this.recorded = Promise.race([work, this.#ignored.promise]).then((end) => {
      clearTimeout(limit);
      return this.#record(end);
    });
    this.settled = Promise.allSettled([this.recorded, work]).then(() => {});
  }

  /** Whether it is over, but perhaps not yet on disk: whoever asks the database may be told either. */
  get isRecording(): boolean {
    return this.#isRecording;
  }

  /** Tells the work to end. The first cause counts, unless the lease is lost: then nothing may be written any more. */
  abort(cause: AbortCause): void {
    if (cause === "lease_lost") {
      this.#cause = cause;
      this.#ignored.resolve({ kind: "ignored_signal" });
    } else if (this.#cause !== undefined || this.#isRecording) return;
    else this.#cause = cause;
    // Whoever stops decides itself how long it waits.
    if (cause === "cancelled" || cause === "timed_out") {
      this.#grace = setTimeout(() => this.giveUp(), graceMs);
    }
    if (!this.#abort.signal.aborted) this.#abort.abort(new Error(reasons[cause]));
  }

  /** Waits no longer for the work, which had its time to end. */
  giveUp(): void {
    this.#ignored.resolve({ kind: "ignored_signal" });
  }

  /** Its lease lasts longer. */
  renewed(): void {
    clearTimeout(this.#lease);
    const { leaseEndMs } = this.#options.parts;
    if (leaseEndMs !== Infinity && !this.#isRecording) {
      this.#lease = setTimeout(() => this.abort("lease_lost"), leaseEndMs);
    }
  }

  async #work(): Promise<WorkEnd> {
    if (this.#abort.signal.aborted) return { kind: "returned", result: undefined };
    const { row, registration, startedEventId } = this.#options;
    const call = {
      correlationId: row.correlation_id,
      causationId: startedEventId ?? row.causation_id ?? undefined,
      traceparent: row.traceparent ?? undefined,
    };
    try {
      const result = await inSpan(`run ${row.name}`, { call, kind: "consumer" }, async () => {
        const input = registration.job.input.safeParse(JSON.parse(row.input));
        if (input.success) return await registration.work(input.data, this.#jobRun());
        throw new PermanentFailure(`The input does not fit any more: ${input.error.message}`);
      });
      return { kind: "returned", result };
    } catch (error) {
      return { kind: "threw", error };
    }
  }

  #jobRun(): JobRun {
    const { row, registration: { log } } = this.#options;
    const withId = (properties?: LogProperties) => ({ job_id: row.id, ...properties });
    return {
      id: row.id,
      attempt: row.attempt,
      project: row.project,
      correlationId: row.correlation_id,
      signal: this.#abort.signal,
      log: {
        debug: (message, properties) => log.debug(message, withId(properties)),
        info: (message, properties) => log.info(message, withId(properties)),
        warn: (message, properties) => log.warn(message, withId(properties)),
        error: (message, properties) => log.error(message, withId(properties)),
        child: (name) => log.child(name),
      },
      progress: (percent, message) => this.#report.report(percent, message),
    };
  }

  async #save(progress: Progress): Promise<void> {
    const { store, writes, board, clock } = this.#options.parts;
    try {
      const { id, token } = this;
      const row = await writes.run(async (trx) => {
        const saved = await store.setProgress(trx, { id, token, ...progress, nowMs: clock.now() });
        if (saved) await board.postIn(trx, saved);
        return saved;
      });
      if (row) this.#row = row;
      else if (!this.#isRecording) this.abort("lease_lost");
    } catch (error) {
      this.#options.registration.log.debug("progress could not be stored", { job_id: this.id, error });
    }
  }

  /** Until it is stored, somebody else has the job, or the agent ends. */
  async #record(end: WorkEnd): Promise<void> {
    const { row, registration, parts } = this.#options;
    const { log, retry, timeLimitMs } = registration;
    this.#isRecording = true;
    this.#report.end();
    const outcome = decideOutcome(end, {
      cause: this.#cause,
      attempt: row.attempt,
      retry,
      timeLimitMs,
      random: parts.random,
    });
    const told = { job_id: row.id, job: row.name, attempt: row.attempt };
    if (end.kind === "ignored_signal") log.warn("a job goes on although it was told to end", told);
    for (let failures = 0;; failures++) {
      if (this.#cause === "lease_lost") {
        log.warn("the lease of a job was lost; whoever has it now goes on", told);
        break;
      }
      try {
        const stored = await recordOutcome({
          row,
          token: this.token,
          outcome,
          progress: this.#report.current,
          parts,
        });
        if (stored === undefined) log.warn("a job ended after another agent had taken it", told);
        else this.#told(stored, end);
        break;
      } catch (error) {
        if (failures === 0) {
          log.error("the end of a job could not be stored; trying again", { ...told, error });
        }
        if (parts.closing.aborted) break;
        await pause(retryMs, parts.closing);
      }
    }
    clearTimeout(this.#grace);
    clearTimeout(this.#lease);
  }

  #told(outcome: Outcome, end: WorkEnd): void {
    const { row, registration: { log }, parts } = this.#options;
    const seconds = (parts.clock.monotonic() - this.#startedAt) / 1000;
    parts.onEnded({ name: row.name, outcome: outcome.move, seconds });
    const told = { job_id: row.id, job: row.name, attempt: row.attempt };
    if ("remark" in outcome && outcome.remark) log.warn(outcome.remark, told);
    if (outcome.move === "fail" || outcome.move === "postpone") {
      const error = end.kind === "threw" ? end.error : messageOf(outcome.error);
      log.warn(outcome.move === "fail" ? "a job failed" : "an attempt of a job failed", { ...told, error });
    }
  }
}
