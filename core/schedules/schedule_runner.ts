import type { Clock } from "../clock.ts";
import type { Logger } from "../log.ts";
import { Wakeup } from "../wakeup.ts";
import type { ScheduleStore } from "./schedule_store.ts";
import { Timing } from "./timing.ts";
import { triggerDue, type TriggerParts } from "./trigger_schedule.ts";

/** Longest time without a look: for a clock that jumps, and for what nobody told us about. */
const longestWaitMs = 60_000;
/** Wait where something is due and cannot be done now, in milliseconds. */
const shortWaitMs = 1000;
/** Schedules that are looked at together. */
const pageSize = 1000;
/** Difference between two clocks from which on one of them was set, in milliseconds. */
const jumpMs = 1000;

interface ScheduleRunnerOptions {
  readonly parts: TriggerParts;
  readonly log: Logger;
}

/** The one timer for all schedules: sleeps until the next one is due, and starts its job. */
export class ScheduleRunner {
  readonly #store: ScheduleStore;
  readonly #clock: Clock;
  readonly #options: ScheduleRunnerOptions;
  readonly #wakeup = new Wakeup();
  readonly #failing = new Set<string>();
  #isPoked = false;
  #problem: unknown;
  #tidiedMs = -Infinity;

  constructor(options: ScheduleRunnerOptions) {
    this.#options = options;
    this.#store = options.parts.store;
    this.#clock = options.parts.clock;
  }

  /** Why schedules do not run, if they do not. */
  get problem(): unknown {
    return this.#problem;
  }

  /** Has a look soon: some schedule has changed. */
  poke(): void {
    this.#isPoked = true;
    this.#wakeup.wake();
  }

  async run(signal: AbortSignal): Promise<void> {
    let offsetMs = Infinity; // as if the clock had been set back while we were away
    while (!signal.aborted) {
      this.#isPoked = false;
      let waitMs = shortWaitMs;
      try {
        const nowOffsetMs = this.#clock.now() - this.#clock.monotonic();
        if (nowOffsetMs < offsetMs - jumpMs) await this.#followClock();
        offsetMs = nowOffsetMs;
        waitMs = await this.#round(signal);
        this.#problem = undefined;
      } catch (error) {
        if (this.#problem === undefined) {
          this.#options.log.error("schedules could not be looked at", { error });
        }
        this.#problem = error;
        this.#isPoked = false; // else a database that is away would be asked without a pause
      }
      if (!this.#isPoked) await this.#wakeup.wait(waitMs, signal);
    }
  }

  /** Starts what is due; returns how long there is nothing to do, in milliseconds. */
  async #round(signal: AbortSignal): Promise<number> {
    const { parts } = this.#options;
    let isWaiting = false;
    for (const { id, job } of await this.#store.due(this.#clock.now(), pageSize)) {
      if (signal.aborted) return 0;
      // Another agent may do such jobs, or this one in a moment, when their plugin has started anew.
      if (!parts.jobs.find(job) || !await this.#trigger(id)) isWaiting = true;
    }
    await this.#tidy();
    const nowMs = this.#clock.now();
    const nextMs = await this.#store.nextDue(nowMs) ?? Infinity;
    return Math.min(Math.max(nextMs - nowMs, 1), isWaiting ? shortWaitMs : longestWaitMs);
  }

  /** One that fails does not keep the others from running; it is told once, until it works again. */
  async #trigger(id: string): Promise<boolean> {
    try {
      const isDone = await triggerDue(this.#options.parts, id);
      this.#failing.delete(id);
      return isDone;
    } catch (error) {
      if (!this.#failing.has(id)) {
        this.#options.log.error("a schedule could not run", { schedule_id: id, error });
      }
      if (this.#failing.size < pageSize) this.#failing.add(id);
      return false;
    }
  }

  /** While the clock was ahead, what is due next may have been put too late; what has run already does not run again. */
  async #followClock(): Promise<void> {
    const nowMs = this.#clock.now();
    for (const { id, next_ms, timing } of await this.#store.future(nowMs)) {
      const nextMs = new Timing(JSON.parse(timing)).next(nowMs);
      if (nextMs !== undefined && next_ms !== null && nextMs < next_ms) {
        await this.#store.bringForward(id, { fromMs: next_ms, toMs: nextMs });
      }
    }
  }

  async #tidy(): Promise<void> {
    const nowMs = this.#clock.monotonic();
    if (nowMs - this.#tidiedMs < longestWaitMs) return;
    this.#tidiedMs = nowMs;
    await this.#store.tidy();
  }
}
