import { StorageDamaged } from "../../../core/storage/storage_damaged.ts";
import type { EventRow, GapRow } from "../tables.ts";
import { type IntegrityStore, unlessDamaged } from "./integrity_store.ts";

/** Looks at a section that retention changed meanwhile, before the contradiction counts. */
const maxLooks = 5;

/** A part of the log as the database has it: events and gaps of a range of sequences. */
export interface Section {
  readonly events: readonly EventRow[];
  readonly gaps: readonly GapRow[];
  /** The last sequence that it covers; the next section begins behind it. */
  readonly to: number;
  /** Nothing of it could be read. */
  readonly unreadable: boolean;
  /** What was removed cannot be told. */
  readonly gapsUnreadable: boolean;
}

/** Reads the section that begins at `from`, with `limit` events at the most. */
export async function readSection(
  store: IntegrityStore,
  range: { from: number; to: number },
  limit: number,
): Promise<Section> {
  for (let look = 1;; look++) {
    const { events, to, unreadable } = await readEvents(store, range, limit);
    // Read after the events: what retention removed before is accounted for here.
    const known = await unlessDamaged(() => store.gaps({ from: range.from, to }));
    const gaps = known ?? [];
    const gapsUnreadable = known === undefined;
    // An event that was removed in between is in both; the next look finds it in one.
    if (look < maxLooks && events.some(({ seq }) => gapAt(gaps, seq))) continue;
    const gap = unreadable ? gapAt(gaps, range.from) : undefined;
    if (gap) return { events, gaps, to: Math.min(gap.to_seq, range.to), unreadable: false, gapsUnreadable };
    return { events, gaps, to, unreadable, gapsUnreadable };
  }
}

/** The gap that this sequence lies in. */
export function gapAt(gaps: readonly GapRow[], seq: number): GapRow | undefined {
  return gaps.find(({ from_seq, to_seq }) => from_seq <= seq && seq <= to_seq);
}

/** Comes as near to the damage as single events, and then goes over it one sequence at a time. */
async function readEvents(
  store: IntegrityStore,
  { from, to }: { from: number; to: number },
  limit: number,
): Promise<Pick<Section, "events" | "to" | "unreadable">> {
  try {
    const events = await store.events({ from, to }, limit);
    return { events, to: events.length < limit ? to : events.at(-1)!.seq, unreadable: false };
  } catch (error) {
    if (!(error instanceof StorageDamaged)) throw error;
    if (limit > 1) return await readEvents(store, { from, to }, limit >> 1);
    if (to > from) return await readEvents(store, { from, to: from }, 1);
    return { events: [], to: from, unreadable: true };
  }
}
