import { setImmediate } from "node:timers";
import { messageOf, Problem } from "../../core/errors.ts";
import type { Logger } from "../../core/log.ts";
import type { Draft, Landed } from "./draft.ts";
import type { EventStore } from "./store.ts";
import type { EventRow } from "./tables.ts";

/** Events and characters of payload of one transaction at the most, so that no commit holds the loop for long. */
const maxBatch = 256;
const maxBatchCharacters = 1024 * 1024;
/** Characters of payload that may wait, whatever `maxPending` says about their number. */
const maxPendingCharacters = 64 * 1024 * 1024;

interface Waiting {
  readonly draft: Draft;
  readonly resolve: (landed: Landed) => void;
  readonly reject: (error: unknown) => void;
}

interface GroupCommitOptions {
  readonly store: EventStore;
  /** Drafts that may wait; beyond, `append` rejects with Problem 503. */
  readonly maxPending: number;
  readonly log: Logger;
  readonly now: () => number;
  /** Called with every committed batch, in order; without rows when a batch failed or held nothing new. */
  readonly onCommitted: (rows: readonly EventRow[]) => void;
  /** Called for every event that was stored, now or before. */
  readonly onLanded: (landed: Landed) => void;
}

/** Lets appends that come at the same time share one transaction, and so one wait for the disk. */
export class GroupCommit {
  readonly #options: GroupCommitOptions;
  #waiting: Waiting[] = [];
  #characters = 0;
  #running: Promise<void> | undefined;
  #committing = false;

  constructor(options: GroupCommitOptions) {
    this.#options = options;
  }

  /** Resolves when the event is on disk. Rejects with Problem 409 on a conflict, 503 when it could not be stored. */
  append(draft: Draft): Promise<Landed> {
    if (this.#waiting.length >= this.#options.maxPending || this.#characters >= maxPendingCharacters) {
      return Promise.reject(
        new Problem(503, "too_many_pending", {
          detail: "Too many events are waiting for the disk; try again shortly",
        }),
      );
    }
    const { promise, resolve, reject } = Promise.withResolvers<Landed>();
    this.#waiting.push({ draft, resolve, reject });
    this.#characters += draft.payload.length;
    this.#running ??= this.#run();
    return promise;
  }

  /** Whether a commit of ours is under way, of which `onCommitted` will tell. */
  get isCommitting(): boolean {
    return this.#committing;
  }

  /** Resolves when nothing waits any more. */
  async drain(): Promise<void> {
    await this.#running;
  }

  async #run(): Promise<void> {
    // One turn of the event loop: whatever arrived with this append joins its transaction.
    await new Promise<void>((resolve) => setImmediate(resolve));
    while (this.#waiting.length > 0) {
      await this.#commit(this.#takeBatch());
      if (this.#waiting.length > 0) await new Promise<void>((resolve) => setImmediate(resolve));
    }
    this.#running = undefined;
  }

  #takeBatch(): readonly Waiting[] {
    let characters = 0;
    let end = 0;
    while (end < this.#waiting.length && end < maxBatch && characters < maxBatchCharacters) {
      characters += this.#waiting[end++]!.draft.payload.length;
    }
    this.#characters -= characters;
    return this.#waiting.splice(0, end);
  }

  async #commit(batch: readonly Waiting[]): Promise<void> {
    const { store, log, now, onCommitted, onLanded } = this.#options;
    this.#committing = true;
    try {
      const { rows, results } = await store.append(batch.map((waiting) => waiting.draft), now());
      onCommitted(rows);
      results.forEach((result, index) => {
        const waiting = batch[index]!;
        if (result instanceof Problem) return waiting.reject(result);
        onLanded(result);
        waiting.resolve(result);
      });
    } catch (error) {
      log.error("events could not be stored", { events: batch.length, error });
      const problem = new Problem(503, "storage_unavailable", {
        detail: "The event may or may not have been stored: the storage failed. Try again with the same id",
        cause: messageOf(error),
      });
      for (const waiting of batch) waiting.reject(problem);
      onCommitted([]);
    } finally {
      this.#committing = false;
    }
  }
}
