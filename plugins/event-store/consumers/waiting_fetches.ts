import { Wakeup } from "../../../core/wakeup.ts";
import type { EventRow } from "../tables.ts";

/** A fetch that waits until there is something for it. */
export interface WaitingFetch {
  /** Whether something happened since `look`. */
  readonly news: boolean;
  /** Says that the worker looks for events now: what happens from here on is news. */
  look(): void;
  /** Resolves when something happens, after `timeoutMs`, or when the signal is aborted. */
  wait(timeoutMs: number, signal: AbortSignal): Promise<void>;
  /** News that it had no use for goes to the next one. */
  leave(): void;
}

interface Waiter {
  readonly wakeup: Wakeup;
  news: boolean;
}

interface Room {
  readonly accepts: (row: EventRow) => boolean;
  readonly waiters: Set<Waiter>;
}

/** All fetches that wait, by consumer; news wake one of them at a time, the one that has waited longest. */
export class WaitingFetches {
  readonly #rooms = new Map<string, Room>();

  join(consumer: string, accepts: (row: EventRow) => boolean): WaitingFetch {
    const waiter: Waiter = { wakeup: new Wakeup(), news: false };
    const waiters = this.#rooms.get(consumer)?.waiters ?? new Set();
    waiters.add(waiter);
    // The consumer may have been changed since the others came.
    this.#rooms.set(consumer, { accepts, waiters });
    return {
      get news() {
        return waiter.news;
      },
      look: () => void (waiter.news = false),
      wait: (timeoutMs, signal) => waiter.news ? Promise.resolve() : waiter.wakeup.wait(timeoutMs, signal),
      leave: () => {
        waiters.delete(waiter);
        if (waiters.size === 0) this.#rooms.delete(consumer);
        else if (waiter.news) this.wake(consumer);
      },
    };
  }

  /** Something may be there for this consumer. */
  wake(consumer: string): void {
    for (const waiter of this.#rooms.get(consumer)?.waiters ?? []) {
      if (waiter.news) continue;
      waiter.news = true;
      waiter.wakeup.wake();
      return;
    }
  }

  /** New events of the log. */
  passed(rows: readonly EventRow[]): void {
    for (const [consumer, { accepts }] of this.#rooms) if (rows.some(accepts)) this.wake(consumer);
  }
}
