import { Problem } from "./errors.ts";

/** Changes that must not overlap: each has its turn, until the queue is ended. */
export class ChangeQueue {
  #last: Promise<unknown> = Promise.resolve();
  #ended = false;

  /** Resolves to what `change` does in its turn. Rejects with Problem 503 once the queue is ended. */
  add<Result>(change: () => Promise<Result>): Promise<Result> {
    const turn = this.#last.then(() => {
      if (!this.#ended) return change();
      throw new Problem(503, "stopping", { detail: "Cannot change the plugins: the agent is stopping" });
    });
    this.#last = turn.catch(() => {}); // whoever asked for it hears of it
    return turn;
  }

  /** Lets nothing new begin; resolves when what is under way has come to its end. */
  async end(): Promise<void> {
    this.#ended = true;
    await this.#last;
  }
}
