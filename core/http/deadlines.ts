/** Many waits of one and the same length on a single timer: they end in the order in which they began. */
export class Deadlines {
  readonly #timeoutMs: number;
  readonly #waits = new Map<() => void, number>();
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(timeoutMs: number) {
    this.#timeoutMs = timeoutMs;
  }

  /** Calls `expire` after the timeout unless the returned function is called before. */
  start(expire: () => void): () => void {
    this.#waits.set(expire, performance.now() + this.#timeoutMs);
    this.#timer ??= setTimeout(this.#ring, this.#timeoutMs);
    return () => this.#waits.delete(expire);
  }

  /** Forgets every wait and stops the timer. */
  close(): void {
    this.#waits.clear();
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  readonly #ring = (): void => {
    this.#timer = undefined;
    const now = performance.now();
    for (const [expire, at] of this.#waits) {
      if (at > now) {
        this.#timer = setTimeout(this.#ring, at - now);
        return;
      }
      this.#waits.delete(expire);
      expire();
    }
  };
}
