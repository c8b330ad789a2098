import type { Kysely } from "kysely";
import { DamagedEvent, intact } from "../log/damage.ts";
import type { EventFilter } from "../search/event_filter.ts";
import { scanEvents, type ScanResult } from "../search/scan_events.ts";
import type { SubjectCatalog } from "../search/subject_catalog.ts";
import type { EventStore } from "../store.ts";
import type { EventRow, EventStoreTables } from "../tables.ts";

/** Rows of one statement: a payload may have 256 KB and more. */
const statementRows = 16;
/** Characters of payload, of new events and again of others, behind which a fetch is full: some 8 MB at the worst. */
const maxCharacters = 1024 * 1024;
/** Time that a fetch may look for rare events before it goes on with what it has, in milliseconds. */
const scanBudgetMs = 500;

/** What became of events that were handed out before. */
export interface Reread {
  readonly found: ReadonlyMap<number, EventRow>;
  readonly damaged: readonly number[];
  /** Retention removed them. */
  readonly removed: readonly number[];
}

/** Reads events by their sequences, in order, until a fetch is full; the rest is neither found nor missing. */
export async function rereadEvents(
  db: Kysely<EventStoreTables>,
  seqs: readonly number[],
): Promise<Reread> {
  const found = new Map<number, EventRow>();
  const damaged: number[] = [];
  const removed: number[] = [];
  let characters = 0;
  for (let start = 0; start < seqs.length && characters < maxCharacters; start += statementRows) {
    const some = seqs.slice(start, start + statementRows);
    // Always as many parameters: one statement serves them all.
    const places = Array.from({ length: statementRows }, (_, index) => some[index] ?? some[0]!);
    const rows = await db.selectFrom("event_store_event").selectAll().where("seq", "in", places).execute();
    const bySeq = new Map(rows.map((row) => [row.seq, row]));
    for (const seq of some) {
      const row = bySeq.get(seq);
      if (!row) removed.push(seq);
      else if (!isIntact(row)) damaged.push(seq);
      else found.set(seq, row);
    }
    for (const row of rows) characters += row.payload.length;
  }
  return { found, damaged, removed };
}

/** New events of a consumer, and how far the look for them got. */
export interface Scanned {
  readonly rows: readonly EventRow[];
  readonly scannedTo: number;
  /** The last of what was looked at, where that cannot be read any more. */
  readonly damaged: number | undefined;
  /** Whether there may be more right now. */
  readonly more: boolean;
}

/** Finds events of a consumer from `from` on; a damaged one ends the look and is told rather than thrown. */
export async function scanNew(
  store: EventStore,
  options: { filter: EventFilter; from: number; limit: number; subjects?: SubjectCatalog | undefined },
): Promise<Scanned> {
  const scan = (to?: number) =>
    scanEvents(store, {
      ...options,
      order: "asc",
      budgetMs: scanBudgetMs,
      ...(to === undefined ? {} : { to }),
    });
  try {
    return cut(await scan(), options.from);
  } catch (error) {
    if (!(error instanceof DamagedEvent)) throw error;
    const { seq } = error;
    const before = cut(await scan(seq - 1), options.from);
    return before.more ? before : { rows: before.rows, scannedTo: seq, damaged: seq, more: true };
  }
}

/** What one answer can hold. */
function cut({ rows, scannedTo, complete }: ScanResult, from: number): Scanned {
  let characters = 0;
  const end = rows.findIndex((row) => (characters += row.payload.length) > maxCharacters) + 1;
  if (end > 0 && end < rows.length) {
    return { rows: rows.slice(0, end), scannedTo: rows[end - 1]!.seq, damaged: undefined, more: true };
  }
  // A log that ends before the position has been looked through as far as that.
  return { rows, scannedTo: Math.max(scannedTo, from - 1), damaged: undefined, more: !complete };
}

function isIntact(row: EventRow): boolean {
  try {
    intact(row);
    return true;
  } catch (error) {
    if (error instanceof DamagedEvent) return false;
    throw error;
  }
}
