import { setImmediate } from "node:timers";

/** How long work on SQLite, which answers without ever letting go of the loop, may go on in one piece. */
const longestTurnMs = 5;

/** Lets everybody else have a turn in the middle of long work. */
export class Turns {
  #since = performance.now();

  /** Between two pieces of work: resolves at once, or after the others' turn where this one has become long. */
  async next(): Promise<void> {
    if (performance.now() - this.#since < longestTurnMs) return;
    await new Promise<void>((resolve) => setImmediate(resolve));
    this.#since = performance.now();
  }
}
