import { expect } from "expect";
import { firstLink, linkAfter } from "../../plugins/event-store/log/event_hash.ts";
import { isSignedOff } from "../../plugins/event-store/retention/anchor.ts";
import type { EventRow, GapRow } from "../../plugins/event-store/tables.ts";

/** What a log holds besides its events. */
interface LogParts {
  readonly rows: readonly EventRow[];
  readonly gaps: readonly GapRow[];
  readonly head: { readonly seq: number; readonly hash: string; readonly events: number };
}

/**
 * Fails unless every sequence up to the head is an event or part of a gap, gaps are signed off and as few as can be, the
 * chain of hashes leads over them to the head, and the head counts the events right.
 */
export function expectWholeLog({ rows, gaps, head }: LogParts): void {
  expect(head.events).toBe(rows.length);
  expect(gaps.filter((gap) => !isSignedOff(gap))).toEqual([]);
  const parts = [...rows.map((row) => ({ from: row.seq, to: row.seq, row })), ...gaps.map(gapPart)]
    .toSorted((a, b) => a.from - b.from);
  let last = { to: 0, hash: firstLink, isGap: false };
  for (const part of parts) {
    expect({ from: part.from, behind: last.to }).toEqual({ from: last.to + 1, behind: last.to });
    if ("row" in part) {
      expect({ seq: part.from, hash: linkAfter(last.hash, part.row) }).toEqual({
        seq: part.from,
        hash: part.row.hash,
      });
    } else expect({ from: part.from, afterGap: last.isGap }).toEqual({ from: part.from, afterGap: false });
    last = { to: part.to, hash: "row" in part ? part.row.hash : part.gap.hash, isGap: !("row" in part) };
  }
  expect(last).toMatchObject({ to: head.seq, hash: head.seq === 0 ? firstLink : head.hash });
}

function gapPart(gap: GapRow) {
  return { from: gap.from_seq, to: gap.to_seq, gap };
}
