/** Lets a bounded number of pieces of work go on at once; the rest waits, first come first served. */
export class TurnDesk {
  readonly #concurrency: number;
  readonly #waitingLimit: number;
  readonly #waiting = new Set<() => void>();
  #running = 0;

  constructor({ concurrency, waiting }: { concurrency: number; waiting: number }) {
    this.#concurrency = concurrency;
    this.#waitingLimit = waiting;
  }

  /** Whether the next one would neither run nor find a place to wait. */
  get isFull(): boolean {
    return this.#running >= this.#concurrency && this.#waiting.size >= this.#waitingLimit;
  }

  /** Resolves with the way to give the turn back. Rejects with the signal's reason when that is aborted first. */
  async take(signal: AbortSignal): Promise<() => void> {
    signal.throwIfAborted();
    if (this.#running >= this.#concurrency) await this.#wait(signal);
    else this.#running++;
    let given = false;
    return () => {
      if (given) return;
      given = true;
      this.#pass();
    };
  }

  #wait(signal: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      const turn = () => {
        signal.removeEventListener("abort", leave);
        resolve();
      };
      const leave = () => {
        this.#waiting.delete(turn);
        reject(signal.reason);
      };
      this.#waiting.add(turn);
      signal.addEventListener("abort", leave, { once: true });
    });
  }

  /** To the next in line, so that nobody who comes just now gets in before. */
  #pass(): void {
    const [next] = this.#waiting;
    if (next === undefined) this.#running--;
    else {
      this.#waiting.delete(next);
      next();
    }
  }
}
