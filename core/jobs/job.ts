import type { Transaction } from "kysely";
import type { z } from "zod";
import type { Logger } from "../log.ts";

/** A kind of background work: its name and the shape of what it is given. */
export interface Job<Input, Given = Input> {
  /** Tokens joined by dots, such as `rag.index`; no two plugins share one. */
  readonly name: string;
  /** Checked when it is enqueued, and again when it runs: code may be newer than what waits. */
  readonly input: z.ZodType<Input, Given>;
}

/** Declares a job; one constant per job, in the plugin that runs it. Throws on a bad name. */
export function defineJob<Input, Given>(name: string, input: z.ZodType<Input, Given>): Job<Input, Given> {
  if (!/^[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*$/.test(name) || name.length > 100) {
    throw new Error(
      `Cannot define the job "${name}": expected a name such as rag.index, 100 characters at most`,
    );
  }
  return { name, input };
}

/** When a failed attempt is made again; what is left out gets its default. */
export interface Retry {
  /** Attempts altogether, the first one included; default 3. */
  readonly maxAttempts?: number;
  /** Before the second attempt; default 2000. */
  readonly firstDelayMs?: number;
  /** Of each delay to the one before; default 2. */
  readonly factor?: number;
  /** Default 60,000. */
  readonly maxDelayMs?: number;
}

export interface JobOptions {
  /** Runs of this job at once on one agent; default 4. */
  readonly concurrency?: number;
  /** Runs of this job at once on all agents of one database; default: no limit. */
  readonly concurrencyTotal?: number;
  /** Runs of this job at once for one project, on all agents of one database; default: no limit. */
  readonly concurrencyPerProject?: number;
  readonly retry?: Retry;
  /** After which an attempt has failed; default one hour. */
  readonly timeLimitMs?: number;
}

export interface EnqueueOptions {
  /** Slug of the project it is for. */
  readonly project?: string | undefined;
  /** While a job of the same name and key is unfinished, that one is meant. */
  readonly dedupeKey?: string | undefined;
  /** Larger comes first, -100 to 100; default 0. */
  readonly priority?: number | undefined;
  /** Earliest begin, from now. */
  readonly delayMs?: number | undefined;
  /** Earliest begin; RFC 3339, or a Date. */
  readonly runAt?: string | Date | undefined;
  /** Default: that of the call we are in, else a new one. */
  readonly correlationId?: string | undefined;
  /** The job is there if, and only if, this transaction commits. */
  // deno-lint-ignore no-explicit-any -- a transaction over whichever tables the caller has
  readonly trx?: Transaction<any> | undefined;
}

/** What `enqueue` resolves to. */
export interface Enqueued {
  readonly id: string;
  /** True when an unfinished job with the same dedupe key is there already; `id` is that job's. */
  readonly duplicate: boolean;
}

/** One attempt, as the work sees it. */
export interface JobRun {
  readonly id: string;
  /** 1 for the first. */
  readonly attempt: number;
  readonly project: string | null;
  /** That of whoever enqueued it. */
  readonly correlationId: string;
  /**
   * Aborted when the job is cancelled, its time is over, its plugin stops, or another agent has taken it. The attempt then
   * counts as unfinished, whatever the work returns: it should clean up and end, within seconds.
   */
  readonly signal: AbortSignal;
  /** Its lines carry the id of the job. */
  readonly log: Logger;
  /** How far it is, 0 to 100, and what it is doing. Cheap: call it as often as there is something new. */
  progress(percent: number, message?: string): void;
}

/** Does the work; what it resolves to is kept as the job's result (JSON). */
export type JobWork<Input> = (input: Input, run: JobRun) => unknown;

/** Thrown by the work of a job where another attempt would fail the same way. */
export class PermanentFailure extends Error {
  override readonly name = "PermanentFailure";
}
