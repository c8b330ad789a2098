/** Work that took less than this may grow; more than this, and it shrinks. In milliseconds. */
const quickMs = 4;
const slowMs = 10;

/** How many rows are handled at once: as many as take a few milliseconds on this machine, whatever they hold. */
export class WorkSize {
  readonly #least: number;
  readonly #most: number;
  #size: number;

  constructor({ first, least, most }: { first: number; least: number; most: number }) {
    this.#least = least;
    this.#most = most;
    this.#size = first;
  }

  get size(): number {
    return this.#size;
  }

  /** Tells how long the last piece took, in milliseconds. */
  took(tookMs: number): void {
    if (tookMs < quickMs) this.#size = Math.min(this.#size * 2, this.#most);
    else if (tookMs > slowMs) this.#size = Math.max(this.#size >> 1, this.#least);
  }
}
