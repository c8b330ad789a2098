import { setImmediate } from "node:timers";
import { messageOf, Problem } from "../../../core/errors.ts";
import type { Logger } from "../../../core/log.ts";
import type { Draft, Landed } from "./draft.ts";
import { Turns } from "../../../core/turns.ts";
import type { EventStore } from "../store.ts";
import type { EventRow } from "../tables.ts";

/** Events and characters of payload of one transaction at the most, so that no commit holds the loop for long. */
const maxBatch = 256;
const maxBatchCharacters = 1024 * 1024;
/** Characters of payload that may wait, whatever `maxPending` says about their number. */
const maxPendingCharacters = 64 * 1024 * 1024;
/** How long one commit may follow the other while everybody else waits, in milliseconds. */
const longestTurnMs = 20;

/** One event, which shares a transaction with whatever else waits. */
interface Single {
  readonly draft: Draft;
  readonly resolve: (landed: Landed) => void;
  readonly reject: (error: unknown) => void;
}

/** Events that are stored together or not at all, in a transaction of their own. */
interface Whole {
  readonly drafts: readonly Draft[];
  readonly characters: number;
  readonly resolve: (landed: readonly Landed[]) => void;
  readonly reject: (error: unknown) => void;
}

type Waiting = Single | Whole;

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
  #events = 0;
  #characters = 0;
  #running: Promise<void> | undefined;
  #committing = false;

  constructor(options: GroupCommitOptions) {
    this.#options = options;
  }

  /**
   * Resolves when the event is on disk. Rejects with Problem 409 on a conflict, 507 on a full disk, 503 when nobody knows
   * whether it was stored.
   */
  append(draft: Draft): Promise<Landed> {
    if (this.#isFull) return Promise.reject(tooManyPending());
    const { promise, resolve, reject } = Promise.withResolvers<Landed>();
    this.#add({ draft, resolve, reject }, { events: 1, characters: draft.payload.length });
    return promise;
  }

  /**
   * Resolves when all of the events are on disk; they follow each other without a gap. Rejects where none is: with
   * Problem 409 `batch_conflict` naming every event that conflicts, 503 when they could not be stored.
   */
  appendAll(drafts: readonly Draft[]): Promise<readonly Landed[]> {
    if (this.#isFull) return Promise.reject(tooManyPending());
    const { promise, resolve, reject } = Promise.withResolvers<readonly Landed[]>();
    const characters = drafts.reduce((sum, { payload }) => sum + payload.length, 0);
    this.#add({ drafts, characters, resolve, reject }, { events: drafts.length, characters });
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

  /** Asked before something is added: a batch may go beyond the limit once, by its own bounded size. */
  get #isFull(): boolean {
    return this.#events >= this.#options.maxPending || this.#characters >= maxPendingCharacters;
  }

  #add(waiting: Waiting, { events, characters }: { events: number; characters: number }): void {
    this.#waiting.push(waiting);
    this.#events += events;
    this.#characters += characters;
    this.#running ??= this.#run();
  }

  async #run(): Promise<void> {
    // One turn of the event loop: whatever arrived with this append joins its transaction.
    await new Promise<void>((resolve) => setImmediate(resolve));
    const turns = new Turns(longestTurnMs);
    while (this.#waiting.length > 0) {
      await this.#commit(this.#takeNext());
      if (this.#waiting.length === 0) break;
      await new Promise<void>((resolve) => setImmediate(resolve));
      await turns.next(); // a plugin that publishes without a pause must not keep every request waiting
    }
    this.#running = undefined;
  }

  /** What goes into the next transaction: single events up to the limits, or one batch, in the order they came. */
  #takeNext(): readonly Single[] | Whole {
    const singles: Single[] = [];
    let characters = 0;
    for (const waiting of this.#waiting) {
      if ("drafts" in waiting) {
        if (singles.length > 0) break;
        this.#remove({ entries: 1, events: waiting.drafts.length, characters: waiting.characters });
        return waiting;
      }
      singles.push(waiting);
      characters += waiting.draft.payload.length;
      if (singles.length >= maxBatch || characters >= maxBatchCharacters) break;
    }
    this.#remove({ entries: singles.length, events: singles.length, characters });
    return singles;
  }

  #remove({ entries, events, characters }: { entries: number; events: number; characters: number }): void {
    this.#waiting.splice(0, entries);
    this.#events -= events;
    this.#characters -= characters;
  }

  async #commit(next: readonly Single[] | Whole): Promise<void> {
    this.#committing = true;
    try {
      await ("drafts" in next ? this.#commitWhole(next) : this.#commitSingles(next));
    } catch (error) {
      this.#reject(next, error);
    } finally {
      this.#committing = false;
    }
  }

  async #commitSingles(singles: readonly Single[]): Promise<void> {
    const { store, now, onCommitted, onLanded } = this.#options;
    const { rows, results } = await store.append(singles.map(({ draft }) => draft), now());
    onCommitted(rows);
    results.forEach((result, index) => {
      const { resolve, reject } = singles[index]!;
      if (result instanceof Problem) return reject(result);
      onLanded(result);
      resolve(result);
    });
  }

  async #commitWhole({ drafts, resolve }: Whole): Promise<void> {
    const { store, now, onCommitted, onLanded } = this.#options;
    const { rows, landed } = await store.appendAll(drafts, now());
    onCommitted(rows);
    landed.forEach(onLanded);
    resolve(landed);
  }

  #reject(next: readonly Single[] | Whole, error: unknown): void {
    const rejected = "drafts" in next ? [next] : next;
    // A problem says itself what became of the event; what the storage throws does not.
    if (error instanceof Problem) rejected.forEach(({ reject }) => reject(error));
    else {
      const events = "drafts" in next ? next.drafts.length : next.length;
      this.#options.log.error("events could not be stored", { events, error });
      const problem = new Problem(503, "storage_unavailable", {
        detail: "The event may or may not have been stored: the storage failed. Try again with the same id",
        cause: messageOf(error),
      });
      rejected.forEach(({ reject }) => reject(problem));
    }
    this.#options.onCommitted([]); // what others committed meanwhile was not hinted at
  }
}

function tooManyPending(): Problem {
  return new Problem(503, "too_many_pending", {
    detail: "Too many events are waiting for the disk; try again shortly",
  });
}
