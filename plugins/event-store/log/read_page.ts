import { StorageDamaged } from "../../../core/storage/storage_damaged.ts";
import type { DamagedEvent } from "./damage.ts";
import type { EventFilter } from "../search/event_filter.ts";
import type { EventRow } from "../tables.ts";

/** Rows of the first statement of a page; how large they are decides how many the next one takes. */
const firstStatementRows = 4;
/** Characters of payload after which a page is full. */
const maxPageCharacters = 1024 * 1024;

/** Sequences to look at, both inclusive; with `among` only these of them. */
export interface SequenceRange {
  readonly from: number;
  readonly to: number;
  readonly among?: readonly number[] | undefined;
}

export interface RangeOptions {
  readonly filter?: EventFilter;
  readonly order?: "asc" | "desc";
  readonly limit: number;
}

/** What one statement found: the events before the first damaged one, and that one. */
export interface RowsRead {
  readonly rows: readonly EventRow[];
  readonly damaged?: DamagedEvent;
}

/** Events in order; `complete` is false where there may be more of them. */
export interface EventPage {
  readonly rows: EventRow[];
  readonly complete: boolean;
}

type Read = (range: SequenceRange, options: RangeOptions) => Promise<RowsRead>;

/**
 * Reads a page in statements that stay small whatever the payloads are. It ends before damage; only one that begins with
 * it rejects, with DamagedEvent or StorageDamaged.
 */
export async function readPage(read: Read, range: SequenceRange, options: RangeOptions): Promise<EventPage> {
  const rows: EventRow[] = [];
  const rest = { ...range };
  let size = firstStatementRows;
  let characters = 0;
  while (rows.length < options.limit && characters < maxPageCharacters) {
    const limit = Math.min(size, options.limit - rows.length);
    const { rows: found, fault } = await asFarAsReadable(read, rest, { ...options, limit });
    rows.push(...found);
    if (fault && rows.length === 0) throw fault;
    if (fault) return { rows, complete: false };
    for (const row of found) characters += row.payload.length;
    if (found.length < limit) return { rows, complete: true };
    if (options.order === "desc") rest.to = found.at(-1)!.seq - 1;
    else rest.from = found.at(-1)!.seq + 1;
    size = Math.max(firstStatementRows, Math.floor(maxPageCharacters * rows.length / (characters + 1)));
  }
  return { rows, complete: false };
}

async function asFarAsReadable(
  read: Read,
  range: SequenceRange,
  options: RangeOptions,
): Promise<{ rows: readonly EventRow[]; fault?: DamagedEvent | StorageDamaged }> {
  try {
    const { rows, damaged } = await read(range, options);
    return damaged ? { rows, fault: damaged } : { rows };
  } catch (error) {
    if (!(error instanceof StorageDamaged)) throw error;
    if (options.limit === 1) return { rows: [], fault: error };
    const { rows } = await asFarAsReadable(read, range, { ...options, limit: options.limit >> 1 });
    return { rows, fault: error };
  }
}
