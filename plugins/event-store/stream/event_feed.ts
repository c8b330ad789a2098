import { compilePattern } from "../../../core/bus/subject.ts";
import { Problem } from "../../../core/errors.ts";
import type { EventFilter } from "../search/event_filter.ts";
import type { EventTail } from "../log/event_tail.ts";
import { scanEvents } from "../search/scan_events.ts";
import type { SubjectCatalog } from "../search/subject_catalog.ts";
import type { EventStore } from "../store.ts";
import type { EventRow } from "../tables.ts";

/** Stored events handed out at once. */
const pageSize = 500;
const maxPageCharacters = 1024 * 1024;
/** Characters of payload that may wait for one reader, whatever `buffer` says about their number. */
const maxBufferedCharacters = 16 * 1024 * 1024;

export interface FeedOptions {
  readonly store: EventStore;
  readonly tail: EventTail;
  /** Finds what is rare without a look at all the rest. */
  readonly subjects?: SubjectCatalog | undefined;
  readonly filter: EventFilter;
  /** Stored events behind this sequence come first; undefined = only what comes from now on. */
  readonly afterSeq: number | undefined;
  /** Live events that may wait for the reader. */
  readonly buffer: number;
  readonly signal: AbortSignal;
  /** Called once, when the reader fell behind by more than the buffer. */
  readonly onOverflow: () => void;
}

/** What a reader that fell too far behind is told. */
export function slowReader(buffer: number): Problem {
  return new Problem(429, "slow_reader", {
    detail:
      `The reader fell more than ${buffer} events behind; connect again with after_seq of the last event seen`,
  });
}

/**
 * Events for one reader: stored ones from where it stopped, then live ones, without gap or repetition at the seam.
 * The reader pulls; the feed ends when the signal is aborted.
 */
export async function* eventFeed(options: FeedOptions): AsyncGenerator<readonly EventRow[], void, void> {
  const { tail, signal } = options;
  const live = new LiveBuffer(options);
  let position = options.afterSeq ?? tail.position;
  try {
    // Joining is synchronous, right after a look at the tail's position: nothing can slip through between the two.
    while (position < tail.position && !signal.aborted) {
      const { rows, scannedTo } = await scanEvents(options.store, {
        filter: options.filter,
        order: "asc",
        limit: pageSize,
        from: position + 1,
        to: tail.position,
        signal,
        subjects: options.subjects,
      });
      position = scannedTo;
      if (rows.length > 0) yield rows;
    }
    live.join(position);
    while (!signal.aborted) {
      const rows = await live.next();
      if (rows.length > 0) yield rows;
    }
  } finally {
    live.leave();
  }
}

class LiveBuffer {
  readonly #options: FeedOptions;
  readonly #accepts: (row: EventRow) => boolean;
  readonly #onAbort = () => {
    this.leave(); // here too: a reader that is gone never comes back to `finally`
    this.#wake?.();
  };
  #rows: EventRow[] = [];
  #characters = 0;
  #fault: Problem | undefined;
  #wake: (() => void) | undefined;
  #leave: (() => void) | undefined;

  constructor(options: FeedOptions) {
    this.#options = options;
    this.#accepts = compileFilter(options.filter);
  }

  join(after: number): void {
    const { tail, signal, buffer, onOverflow } = this.#options;
    signal.addEventListener("abort", this.#onAbort);
    this.#leave = tail.listen((rows) => {
      const waits = this.#wake !== undefined; // whoever waits is not behind, however large the batch
      for (const row of rows) {
        if (row.seq <= after || !this.#accepts(row)) continue;
        if (!waits && (this.#rows.length >= buffer || this.#characters >= maxBufferedCharacters)) {
          this.#leave?.();
          this.#rows = [];
          return onOverflow();
        }
        this.#rows.push(row);
        this.#characters += row.payload.length;
      }
      if (this.#rows.length > 0) this.#wake?.();
    }, (fault) => {
      this.#leave?.();
      this.#fault = fault;
      this.#wake?.();
    });
  }

  /** Waits for the next live events; an empty answer means that the feed was aborted. Rejects behind the last before a fault. */
  async next(): Promise<readonly EventRow[]> {
    if (this.#rows.length === 0 && this.#fault === undefined && !this.#options.signal.aborted) {
      const { promise, resolve } = Promise.withResolvers<void>();
      this.#wake = resolve;
      await promise;
      this.#wake = undefined;
    }
    if (this.#rows.length === 0 && this.#fault !== undefined) throw this.#fault;
    return this.#takeSome();
  }

  /** A part that the reader's connection can hold; the rest stays in the buffer, whose bounds it counts against. */
  #takeSome(): readonly EventRow[] {
    let characters = 0;
    let end = 0;
    while (end < this.#rows.length && end < pageSize && characters < maxPageCharacters) {
      characters += this.#rows[end++]!.payload.length;
    }
    this.#characters -= characters;
    return this.#rows.splice(0, end);
  }

  leave(): void {
    this.#options.signal.removeEventListener("abort", this.#onAbort);
    this.#leave?.();
  }
}

/** The same decision as the SQL filter, for events that come by in memory. */
export function compileFilter(filter: EventFilter): (row: EventRow) => boolean {
  const subject = compilePattern(filter.subject ?? ">");
  const type = compilePattern(filter.type ?? ">");
  const { id, since, until, correlationId, project, origin, arrival, projects } = filter;
  const sinceMs = Date.parse(since ?? "");
  const untilMs = Date.parse(until ?? "");
  return (row) =>
    subject(row.subject) && type(row.type) &&
    (since === undefined || (row.time >= since && row.stored_ms >= sinceMs)) &&
    (until === undefined || row.time <= until || row.stored_ms <= untilMs) &&
    (id === undefined || row.id === id) &&
    (correlationId === undefined || row.correlation_id === correlationId) &&
    (project === undefined || row.project === project) &&
    (origin === undefined || row.node_id === origin) &&
    (arrival === undefined || row.arrival === arrival) &&
    (projects === undefined || (row.project !== null && projects.includes(row.project)));
}
