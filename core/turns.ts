/** How long work on SQLite, which answers without ever letting go of the loop, may go on in one piece. */
const defaultTurnMs = 5;

/** Lets everybody else have a turn in the middle of long work. */
export class Turns {
  readonly #longestMs: number;
  #since = performance.now();

  /** `longestMs` is how long the others may have to wait. */
  constructor(longestMs: number = defaultTurnMs) {
    this.#longestMs = longestMs;
  }

  /** Between two pieces of work: resolves at once, or after the others' turn where this one has become long. */
  async next(): Promise<void> {
    if (performance.now() - this.#since < this.#longestMs) return;
    // A timer, since a loop with a `setImmediate` in line looks at its sockets in every sixtieth round only.
    await new Promise<void>((resolve) => setTimeout(resolve, 0));
    this.#since = performance.now();
  }
}
