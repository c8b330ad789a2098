import type { Kysely, Transaction } from "kysely";
import { setImmediate } from "node:timers";
import { currentContext, withContext } from "../context.ts";
import { Problem } from "../errors.ts";
import { Turns } from "../turns.ts";

/** Pieces of work in one transaction at the most, so that none holds the database for long. */
const maxTogether = 64;
/** Pieces of work that may wait. */
const maxWaiting = 10_000;
/** How long one transaction may follow the other while everybody else waits, in milliseconds. */
const longestTurnMs = 20;

interface Waiting<Tables> {
  readonly work: (trx: Transaction<Tables>) => Promise<() => void>;
  readonly reject: (error: unknown) => void;
}

/** Lets small writes that come at the same time share one transaction, and so one wait for the disk. */
export class SharedTransaction<Tables> {
  readonly #db: Kysely<Tables>;
  #waiting: Waiting<Tables>[] = [];
  #running: Promise<void> | undefined;

  constructor(db: Kysely<Tables>) {
    this.#db = db;
  }

  /**
   * Does the work in a transaction and resolves once that has committed. Where the work of somebody else fails, it is done
   * once more in another one. Rejects with Problem 503 where too much waits.
   */
  run<Result>(work: (trx: Transaction<Tables>) => Promise<Result>): Promise<Result> {
    if (this.#waiting.length >= maxWaiting) {
      return Promise.reject(tooManyPending());
    }
    const { promise, resolve, reject } = Promise.withResolvers<Result>();
    const context = currentContext();
    const inContext = (trx: Transaction<Tables>) =>
      context ? withContext(context, () => work(trx)) : work(trx);
    this.#waiting.push({
      work: async (trx) => {
        const result = await inContext(trx);
        return () => resolve(result);
      },
      reject,
    });
    this.#running ??= this.#run();
    return promise;
  }

  /** Resolves when nothing waits any more. */
  async drain(): Promise<void> {
    await this.#running;
  }

  async #run(): Promise<void> {
    const turns = new Turns(longestTurnMs);
    while (this.#waiting.length > 0) {
      await turns.next();
      // One turn of the event loop: whatever comes with this work joins its transaction.
      await new Promise<void>((resolve) => setImmediate(resolve));
      const together = this.#waiting.splice(0, maxTogether);
      try {
        await this.#commit(together);
      } catch (error) {
        if (together.length === 1) together[0]!.reject(error);
        else await this.#commitEach(together);
      }
    }
    this.#running = undefined;
  }

  async #commit(together: readonly Waiting<Tables>[]): Promise<void> {
    const done = await this.#db.transaction().execute(async (trx) => {
      const done: (() => void)[] = [];
      for (const { work } of together) done.push(await work(trx));
      return done;
    });
    for (const resolve of done) resolve();
  }

  async #commitEach(together: readonly Waiting<Tables>[]): Promise<void> {
    for (const one of together) await this.#commit([one]).catch(one.reject);
  }
}

/** Problem 503 for what would have to wait behind too much else. */
export function tooManyPending(): Problem {
  return new Problem(503, "too_many_pending", {
    detail: "Too many changes are waiting for the disk; try again shortly",
  });
}
