import type { EventFilter } from "./event_filter.ts";
import { SearchWindows } from "./search_windows.ts";
import type { SubjectCatalog } from "./subject_catalog.ts";
import { Turns } from "../../../core/turns.ts";
import type { EventStore } from "../store.ts";
import type { EventRow } from "../tables.ts";

export interface ScanOptions {
  readonly filter: EventFilter;
  readonly order: "asc" | "desc";
  readonly limit: number;
  /** Sequences to look at, both inclusive; `to` defaults to the end of the log. */
  readonly from: number;
  readonly to?: number;
  /** Time after which the scan stops with what it has, in milliseconds. */
  readonly budgetMs?: number;
  /** Ends the search early, as if it were complete: nobody waits for it any more. */
  readonly signal?: AbortSignal;
  /** Finds what is rare without a look at all the rest; changes nothing about what is found. */
  readonly subjects?: SubjectCatalog | undefined;
}

/** What was found, and how far the search got. */
export interface ScanResult {
  readonly rows: readonly EventRow[];
  /** The last sequence looked at: a next scan goes on behind it. */
  readonly scannedTo: number;
  /** Whether the whole range was looked at. */
  readonly complete: boolean;
}

/** What is still to be looked at, both inclusive. */
interface Rest {
  from: number;
  to: number;
}

/** Finds matching events however rare they are, in parts, so that no statement holds the loop for long. */
export async function scanEvents(store: EventStore, options: ScanOptions): Promise<ScanResult> {
  const { filter, order, limit, budgetMs = Infinity, signal } = options;
  const to = options.to ?? await store.headSeq();
  const from = await firstStoredSince(store, filter.since, { from: options.from, to });
  const rest: Rest = { from, to };
  const turns = new Turns();
  const windows = new SearchWindows({ filter, order, subjects: options.subjects, turns });
  const rows: EventRow[] = [];
  const started = performance.now();
  while (rest.from <= rest.to && !signal?.aborted) {
    const range = await windows.next(rest, limit - rows.length);
    const before = performance.now();
    const page = await store.page(range, { filter, order, limit: limit - rows.length }).catch((error) => {
      // What was found before a damaged event is not lost with it: the next scan begins there.
      if (rows.length === 0) throw error;
    });
    if (!page) {
      return { rows, scannedTo: order === "asc" ? rest.from - 1 : rest.to + 1, complete: false };
    }
    rows.push(...page.rows);
    if (!page.complete) {
      const scannedTo = rows.at(-1)!.seq;
      return { rows, scannedTo, complete: scannedTo === (order === "asc" ? rest.to : rest.from) };
    }
    windows.learn(range, { found: page.rows.length, tookMs: performance.now() - before });
    if (order === "asc") rest.from = range.to + 1;
    else rest.to = range.from - 1;
    if (page.rows.length === 0) await skipGap(store, rest, order);
    if (performance.now() - started > budgetMs && rest.from <= rest.to) {
      return { rows, scannedTo: order === "asc" ? rest.from - 1 : rest.to + 1, complete: false };
    }
    await turns.next();
  }
  return { rows, scannedTo: order === "asc" ? to : from, complete: true };
}

/** Retention may have removed millions of events, through which it would go window by window. */
async function skipGap(store: EventStore, rest: Rest, order: "asc" | "desc"): Promise<void> {
  if (rest.from > rest.to) return;
  if (order === "asc") rest.from = (await store.storedAt(rest.from))?.seq ?? rest.to + 1;
  else rest.to = (await store.storedAt(rest.to, "desc"))?.seq ?? rest.from - 1;
}

/** The lowest sequence in the range that can hold events since a time: when each was stored rises with its sequence. */
export async function firstStoredSince(
  store: EventStore,
  since: string | undefined,
  { from, to }: { from: number; to: number },
): Promise<number> {
  if (since === undefined) return from;
  const sinceMs = Date.parse(since);
  let low = from;
  let high = to + 1;
  while (low < high) {
    const middle = Math.floor((low + high) / 2);
    const found = await store.storedAt(middle);
    if (found === undefined || found.seq > to || found.stored_ms >= sinceMs) high = middle;
    else low = found.seq + 1;
  }
  return low;
}
