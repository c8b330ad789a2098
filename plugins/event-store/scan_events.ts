import type { EventFilter } from "./event_filter.ts";
import type { EventStore } from "./store.ts";
import type { EventRow } from "./tables.ts";

/** Sequences looked through by one statement: grows while that is quick, shrinks when it holds the loop too long. */
const firstWindow = 2000;
const largestWindow = 1_000_000;
const quickMs = 2;
const slowMs = 8;

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
}

/** What was found, and how far the search got. */
export interface ScanResult {
  readonly rows: readonly EventRow[];
  /** The last sequence looked at: a next scan goes on behind it. */
  readonly scannedTo: number;
  /** Whether the whole range was looked at. */
  readonly complete: boolean;
}

/** Finds matching events however rare they are, in pages of sequences, so that no statement holds the loop for long. */
export async function scanEvents(store: EventStore, options: ScanOptions): Promise<ScanResult> {
  const { order, limit, budgetMs = Infinity } = options;
  const to = options.to ?? await store.headSeq();
  const from = await firstStoredSince(store, options.filter.since, { from: options.from, to });
  const rows: EventRow[] = [];
  const started = performance.now();
  let window = firstWindow;
  let low = from;
  let high = to;
  while (low <= high && !options.signal?.aborted) {
    const range = order === "asc"
      ? { from: low, to: Math.min(low + window - 1, high) }
      : { from: Math.max(high - window + 1, low), to: high };
    const before = performance.now();
    const page = await store.page(range, { filter: options.filter, order, limit: limit - rows.length });
    rows.push(...page.rows);
    const tookMs = performance.now() - before;
    if (!page.complete) {
      const scannedTo = rows.at(-1)!.seq;
      return { rows, scannedTo, complete: scannedTo === (order === "asc" ? high : low) };
    }
    if (order === "asc") low = range.to + 1;
    else high = range.from - 1;
    if (tookMs < quickMs) window = Math.min(window * 2, largestWindow);
    else if (tookMs > slowMs) window = Math.max(window >> 1, firstWindow);
    if (performance.now() - started > budgetMs && low <= high) {
      return { rows, scannedTo: order === "asc" ? range.to : range.from, complete: false };
    }
  }
  return { rows, scannedTo: order === "asc" ? to : from, complete: true };
}

/** The lowest sequence in the range that can hold events since a time: when each was stored rises with its sequence. */
async function firstStoredSince(
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
