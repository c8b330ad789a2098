import type { EventRow } from "../tables.ts";

/** Events and characters of payload kept in memory, so that whoever keeps up need not read what was just written. */
const maxEvents = 2048;
const maxCharacters = 8 * 1024 * 1024;

/** The latest events of the log, one after the other; what is missing between them was removed from the log. */
export class RecentEvents {
  #rows: EventRow[] = [];
  #characters = 0;

  /** Adds the next events of the log; anything but the very next ones begins anew. */
  add(rows: readonly EventRow[]): void {
    if (rows[0]!.seq !== (this.#rows.at(-1)?.seq ?? 0) + 1) this.#clear();
    for (const row of rows) {
      this.#rows.push(row);
      this.#characters += row.payload.length;
    }
    if (this.#rows.length > maxEvents * 2 || this.#characters > maxCharacters) this.#shrink();
  }

  /** The events behind `seq`, at most `limit`; undefined where they are not all here. */
  after(seq: number, limit: number): readonly EventRow[] | undefined {
    const first = this.#rows[0]?.seq;
    if (first === undefined || seq + 1 < first) return undefined;
    const start = this.#placeBehind(seq);
    return start < this.#rows.length ? this.#rows.slice(start, start + limit) : undefined;
  }

  /** Of the first event behind `seq`, by halving: sequences have gaps. */
  #placeBehind(seq: number): number {
    let low = 0;
    let high = Math.min(this.#rows.length, seq + 1 - this.#rows[0]!.seq);
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.#rows[middle]!.seq > seq) high = middle;
      else low = middle + 1;
    }
    return low;
  }

  #clear(): void {
    this.#rows = [];
    this.#characters = 0;
  }

  /** Now and then a large step rather than each time a small one. */
  #shrink(): void {
    const kept = this.#rows.slice(-maxEvents);
    const characters = kept.reduce((sum, row) => sum + row.payload.length, 0);
    if (characters > maxCharacters) return this.#clear();
    this.#rows = kept;
    this.#characters = characters;
  }
}
