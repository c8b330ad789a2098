import type { Logger } from "../log.ts";
import type { Job, JobOptions, JobWork, Retry } from "./job.ts";
import { fullRetry } from "./retry_delay.ts";

/** Longest time limit: more does not fit into a timer. */
const maxTimeLimitMs = 2 ** 31 - 1;

/** A job with the work that a plugin does for it, and its limits with their defaults. */
export interface Registration {
  readonly job: Job<unknown>;
  readonly work: JobWork<unknown>;
  readonly plugin: string;
  readonly log: Logger;
  readonly concurrency: number;
  readonly concurrencyTotal: number;
  readonly concurrencyPerProject: number;
  readonly retry: Required<Retry>;
  readonly timeLimitMs: number;
}

/** What a plugin declares. */
export interface Declaration<Input, Given> {
  readonly job: Job<Input, Given>;
  readonly work: JobWork<Input>;
  readonly plugin: string;
  readonly log: Logger;
  readonly options?: JobOptions | undefined;
}

/** The jobs that the plugins of this agent have declared. */
export class Registrations {
  readonly #byName = new Map<string, Registration>();

  /** Throws where another plugin has a job of this name, and on limits that make no sense. */
  add<Input, Given>({ job, work, plugin, log, options = {} }: Declaration<Input, Given>): Registration {
    const taken = this.#byName.get(job.name);
    if (taken) throw new Error(`Cannot declare the job "${job.name}": "${taken.plugin}" has declared it`);
    const registration: Registration = {
      job: job as Job<unknown>,
      work: work as JobWork<unknown>,
      plugin,
      log,
      concurrency: options.concurrency ?? 4,
      concurrencyTotal: options.concurrencyTotal ?? Infinity,
      concurrencyPerProject: options.concurrencyPerProject ?? Infinity,
      retry: fullRetry(options.retry),
      timeLimitMs: Math.min(options.timeLimitMs ?? 3_600_000, maxTimeLimitMs),
    };
    const { concurrency, concurrencyTotal, concurrencyPerProject, timeLimitMs } = registration;
    if (!([concurrency, concurrencyTotal, concurrencyPerProject, timeLimitMs].every((limit) => limit >= 1))) {
      throw new Error(`Cannot declare the job "${job.name}": its limits have to be 1 or more`);
    }
    this.#byName.set(job.name, registration);
    return registration;
  }

  /** Forgets a job whose plugin has stopped. */
  remove({ job }: Registration): void {
    this.#byName.delete(job.name);
  }

  /** The job of this name, where a plugin of this agent does it. */
  find(name: string): Job<unknown> | undefined {
    return this.#byName.get(name)?.job;
  }

  has(name: string): boolean {
    return this.#byName.has(name);
  }

  /** In the order of their names. */
  all(): readonly Registration[] {
    return [...this.#byName.values()].sort((one, other) => one.job.name < other.job.name ? -1 : 1);
  }
}
