import type { Clock } from "../../../core/clock.ts";

export interface PacerOptions {
  readonly clock: Clock;
  /** 0 = no waits, 1 = as it happened, n = n times as fast. */
  readonly speed: number;
  /** Longest wait between two events, in milliseconds; null = as long as it takes. */
  readonly maxGapMs: number | null;
}

/**
 * Says when the next event is due: the first one at once, each further one as long after its predecessor as the two
 * times lie apart, divided by the speed. Due times add up, so that late timers do not slow the whole down.
 */
export class Pacer {
  readonly #options: PacerOptions;
  /** When the last event was due, and the latest time that any event had. */
  #last: { readonly dueAt: number; readonly timeMs: number } | undefined;

  constructor(options: PacerOptions) {
    this.#options = options;
  }

  /** Milliseconds until an event with this time is due; 0 or less when it is. */
  delayMs(timeMs: number): number {
    return this.#dueAt(timeMs) - this.#options.clock.monotonic();
  }

  /** Tells that the event was sent. */
  sent(timeMs: number): void {
    // An event may carry an earlier time than its predecessor (another host's clock, collected late): the next one
    // is measured from the latest time seen, or such a step back would be waited for twice.
    this.#last = { dueAt: this.#dueAt(timeMs), timeMs: Math.max(timeMs, this.#last?.timeMs ?? -Infinity) };
  }

  #dueAt(timeMs: number): number {
    const { clock, speed, maxGapMs } = this.#options;
    if (speed === 0 || this.#last === undefined) return clock.monotonic();
    const gapMs = Math.max(0, timeMs - this.#last.timeMs) / speed;
    return this.#last.dueAt + Math.min(gapMs, maxGapMs ?? Infinity);
  }
}
