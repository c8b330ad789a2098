/** Counts what is under way, and lets somebody wait until nothing is. */
export class UnderWay {
  #count = 0;
  readonly #waiting = new Set<() => void>();

  get count(): number {
    return this.#count;
  }

  enter(): void {
    this.#count++;
  }

  leave(): void {
    if (--this.#count === 0) { for (const wake of this.#waiting) wake(); }
  }

  /** True as soon as nothing is under way, false where that takes longer than `timeoutMs`. */
  async none(timeoutMs: number): Promise<boolean> {
    if (this.#count === 0) return true;
    const { promise, resolve } = Promise.withResolvers<void>();
    const timer = setTimeout(resolve, timeoutMs);
    this.#waiting.add(resolve);
    await promise;
    this.#waiting.delete(resolve);
    clearTimeout(timer);
    return this.#count === 0;
  }
}
