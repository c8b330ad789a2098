import type { EventIndex, IndexedColumn, KeyRange } from "./event_index.ts";
import type { Turns } from "../../../core/turns.ts";

/** Entries of the index that one statement reads at the most: about two milliseconds. */
const maxEntries = 4000;
/** Keys that one statement looks up at the most. */
const maxKeys = 500;

export interface MergeOptions {
  readonly column: IndexedColumn;
  readonly keys: readonly string[];
  /** Sequences to look at, both inclusive. */
  readonly from: number;
  readonly to: number;
  readonly order: "asc" | "desc";
  /** Sequences wanted. */
  readonly count: number;
  readonly turns: Turns;
}

/** The first sequences that any of the keys has in the range, in order; fewer than `count` = these are all. */
export async function mergeKeys(index: EventIndex, options: MergeOptions): Promise<number[]> {
  const { column, keys, from, to, order, count, turns } = options;
  let open: KeyRange[] = keys.map((key) => ({ key, from, to }));
  let found: number[] = [];
  let limit = Math.min(count, Math.max(2, Math.ceil(2 * count / keys.length)));
  while (open.length > 0) {
    const more: KeyRange[] = [];
    const size = Math.min(maxKeys, Math.max(1, Math.floor(maxEntries / limit)));
    for (let start = 0; start < open.length; start += size) {
      const part = open.slice(start, start + size);
      const lists = await index.sequences(part, { column, order, limit });
      for (const [place, list] of lists.entries()) {
        for (const seq of list) found.push(seq);
        if (list.length === limit) more.push(behind(part[place]!, { seq: list.at(-1)!, order }));
      }
      await turns.next();
    }
    found = found.sort((a, b) => order === "asc" ? a - b : b - a).slice(0, count);
    // A key that may have more is asked again only for what would still come before the last one that is wanted.
    open = found.length < count
      ? more
      : more.flatMap((range) => before(range, { seq: found.at(-1)!, order }));
    limit = Math.min(count, limit * 4);
  }
  return found;
}

interface Place {
  readonly seq: number;
  readonly order: "asc" | "desc";
}

function behind(range: KeyRange, { seq, order }: Place): KeyRange {
  return order === "asc" ? { ...range, from: seq + 1 } : { ...range, to: seq - 1 };
}

function before(range: KeyRange, { seq, order }: Place): KeyRange[] {
  const cut = order === "asc" ? { ...range, to: seq - 1 } : { ...range, from: seq + 1 };
  return cut.from <= cut.to ? [cut] : [];
}
