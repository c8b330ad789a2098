export interface RateOptions {
  readonly perSecond: number;
  /** Requests that may come at once after a pause. */
  readonly burst: number;
  /** Names remembered at the most; beyond that the longest known are forgotten. Default 10,000. */
  readonly capacity?: number;
}

/**
 * A bucket per name, kept as one number each (GCRA: when the bucket will be full again), so that a take costs well
 * under a microsecond, needs no timer, and memory has a bound.
 */
export class RateLimiter {
  readonly #intervalMs: number;
  readonly #toleranceMs: number;
  readonly #capacity: number;
  readonly #fullAt = new Map<string, number>();
  #sweptAt = -Infinity;

  constructor({ perSecond, burst, capacity = 10_000 }: RateOptions) {
    this.#intervalMs = 1000 / perSecond;
    this.#toleranceMs = this.#intervalMs * (burst - 1);
    this.#capacity = capacity;
  }

  /** Names remembered at the moment. */
  get size(): number {
    return this.#fullAt.size;
  }

  /** Takes one for `name`: 0 where there was one left, else the milliseconds until there is. */
  take(name: string, nowMs: number): number {
    const known = this.#fullAt.get(name);
    const fullAt = known === undefined || known < nowMs ? nowMs : known;
    const waitMs = fullAt - nowMs - this.#toleranceMs;
    if (waitMs > 1e-6) return waitMs; // not 0: sums of intervals are not exact
    if (known === undefined && this.#fullAt.size >= this.#capacity) this.#makeRoom(nowMs);
    this.#fullAt.set(name, fullAt + this.#intervalMs);
    return 0;
  }

  /** Forgets full buckets, which are as good as unknown ones; at most once a second, since it looks at all. */
  #makeRoom(nowMs: number): void {
    if (nowMs - this.#sweptAt >= 1000) {
      this.#sweptAt = nowMs;
      for (const [name, fullAt] of this.#fullAt) if (fullAt <= nowMs) this.#fullAt.delete(name);
    }
    while (this.#fullAt.size >= this.#capacity) {
      const oldest = this.#fullAt.keys().next();
      if (oldest.done) return;
      this.#fullAt.delete(oldest.value);
    }
  }
}
