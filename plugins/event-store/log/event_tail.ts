import type { Logger } from "../../../core/log.ts";
import { StorageDamaged } from "../../../core/storage/storage_damaged.ts";
import { Wakeup } from "../../../core/wakeup.ts";
import { DamagedEvent } from "./damage.ts";
import type { EventPage } from "./read_page.ts";
import { RecentEvents } from "./recent_events.ts";
import type { EventStore } from "../store.ts";
import type { EventRow } from "../tables.ts";

/** Rows read at once when the tail has to catch up from the database. */
const pageSize = 500;
/** How often the log is looked at without any hint: what another process stored shows at the latest then. */
const idlePollMs = 1000;

/** Gets every event behind the position it joined at, in order, without gaps. */
export type TailListener = (rows: readonly EventRow[]) => void;

/** Gets what stands in the way of the next event: it is damaged and left out, or the database cannot read on. */
export type FaultListener = (fault: DamagedEvent | StorageDamaged) => void;

/**
 * Follows the end of the log once for everybody in this process. What this process commits comes in by hand
 * (`committed`); what others commit, or a caller's own transaction, is read when a commit is signalled, or by polling.
 */
export class EventTail {
  readonly #store: EventStore;
  readonly #log: Logger;
  readonly #listeners = new Set<TailListener>();
  readonly #faultListeners = new Set<FaultListener>();
  readonly #recent = new RecentEvents();
  #position = 0;
  readonly #wakeup = new Wakeup();
  #hint = false;

  constructor({ store, log }: { store: EventStore; log: Logger }) {
    this.#store = store;
    this.#log = log;
  }

  /** The last sequence that the listeners have been given. */
  get position(): number {
    return this.#position;
  }

  /** The next events behind `seq`, as long as they are still in memory; else undefined, and they have to be read. */
  recent(seq: number, limit: number): readonly EventRow[] | undefined {
    return this.#recent.after(seq, limit);
  }

  /** Joins at the current position; returns the way to leave. Who must not miss an event listens for faults too. */
  listen(listener: TailListener, onFault?: FaultListener): () => void {
    this.#listeners.add(listener);
    if (onFault) this.#faultListeners.add(onFault);
    return () => {
      this.#listeners.delete(listener);
      if (onFault) this.#faultListeners.delete(onFault);
    };
  }

  /** Hands over a batch that was just committed: if it is the very next one, nothing has to be read. */
  committed(rows: readonly EventRow[]): void {
    if (rows.length > 0 && rows[0]!.seq === this.#position + 1) this.#pass(rows);
    else this.hint();
  }

  /** Says that something may have been committed. */
  hint(): void {
    this.#hint = true;
    this.#wakeup.wake();
  }

  /** Starts at the end of the log. */
  async start(): Promise<void> {
    this.#position = await this.#store.headSeq();
  }

  /** Runs until aborted; rejects when the storage does (and is then started again by its supervisor). */
  async follow(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      this.#hint = false;
      await this.#catchUp(signal);
      if (!this.#hint) await this.#wakeup.wait(idlePollMs, signal);
    }
  }

  async #catchUp(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      const page = await this.#nextPage();
      if (!page) continue;
      const { rows, complete } = page;
      // While we read, a batch may have been handed over: what it passed on is not passed on again.
      const news = rows.filter((row) => row.seq > this.#position);
      if (news.length > 0) this.#pass(news);
      if (complete) return;
    }
  }

  /** Undefined where a damaged event came next, which is gone past: those behind it must not wait for ever. */
  async #nextPage(): Promise<EventPage | undefined> {
    const from = this.#position + 1;
    try {
      return await this.#store.page({ from, to: Number.MAX_SAFE_INTEGER }, { limit: pageSize });
    } catch (error) {
      const isFault = error instanceof DamagedEvent || error instanceof StorageDamaged;
      if (isFault) this.#tell(this.#faultListeners, error);
      if (!(error instanceof DamagedEvent)) throw error;
      this.#position = Math.max(this.#position, error.seq);
      return undefined;
    }
  }

  #pass(rows: readonly EventRow[]): void {
    this.#position = rows.at(-1)!.seq;
    this.#recent.add(rows);
    this.#tell(this.#listeners, rows);
  }

  #tell<News>(listeners: ReadonlySet<(news: News) => void>, news: News): void {
    for (const listener of listeners) {
      try {
        listener(news);
      } catch (error) {
        this.#log.error("a listener of the event tail threw", { error });
      }
    }
  }
}
