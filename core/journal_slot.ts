import type { Subscription } from "./bus/bus.ts";
import { settleWithin } from "./bus/settle_within.ts";
import type { Journal } from "./events.ts";

/** How long a journal that is taken back waits for the handlers of its events, in milliseconds. */
const drainMs = 2000;

type ConsumeArguments = Parameters<Journal["consume"]>;

/** A consumer that outlives the journal's coming and going. */
interface Follower {
  readonly arguments: ConsumeArguments;
  /** Present while there is a journal. */
  attached: Subscription | undefined;
}

/** Where the store of record is found: at most one, which may stop and come back while the agent runs. */
export class JournalSlot {
  readonly #followers = new Set<Follower>();
  #journal: Journal | undefined;
  #leaving = false;
  #isExpected = false;

  /** The store of record, while it runs. */
  get current(): Journal | undefined {
    return this.#journal;
  }

  /** Whether this agent has one, be it stopped at the moment. */
  get isExpected(): boolean {
    return this.#isExpected;
  }

  /**
   * Makes `journal` the store of record; the returned function takes it back, once the handlers of its events are done
   * with what they have in hand. Throws when there is one already.
   */
  keep(journal: Journal): () => Promise<void> {
    if (this.#journal) throw new Error("Cannot keep events: another plugin keeps them already");
    this.#journal = journal;
    this.#isExpected = true;
    for (const follower of this.#followers) follower.attached = journal.consume(...follower.arguments);
    return async () => {
      if (this.#journal !== journal) return;
      this.#leaving = true;
      const attached = [...this.#followers].map((follower) => follower.attached?.stop());
      for (const follower of this.#followers) follower.attached = undefined;
      await settleWithin(Promise.all(attached), drainMs);
      this.#journal = undefined;
      this.#leaving = false;
    };
  }

  /** `consume` of whichever journal is there: now, or as soon as there is one. */
  consume(...[options, handle]: ConsumeArguments): Subscription {
    const follower: Follower = { arguments: [options, handle], attached: undefined };
    if (this.#journal && !this.#leaving) follower.attached = this.#journal.consume(options, handle);
    this.#followers.add(follower);
    return {
      stop: async () => {
        this.#followers.delete(follower);
        await follower.attached?.stop();
      },
    };
  }
}
