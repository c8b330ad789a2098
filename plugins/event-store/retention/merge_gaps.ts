import type { GapRow } from "../tables.ts";
import { isSignedOff } from "./anchor.ts";

/** A stretch of sequences whose events are gone; `hash` is that of the last one. */
export interface Stretch {
  readonly from_seq: number;
  readonly to_seq: number;
  readonly hash: string;
}

/** What a removal changes about the gaps: `dropped` (by `from_seq`) go, `added` come. */
export interface GapChange {
  readonly dropped: readonly number[];
  readonly added: readonly Stretch[];
}

interface Piece extends Stretch {
  readonly isNew: boolean;
  /** `from_seq` of the stored gaps that are part of it. */
  readonly parts: readonly number[];
}

/**
 * Joins removed events with the gaps beside them. `gaps` are those that touch or lie between the removed events. One that
 * is not signed off is left alone: joined and signed anew, what somebody did to it could no longer be seen.
 */
export function mergeGaps(
  removed: readonly { readonly seq: number; readonly hash: string }[],
  gaps: readonly GapRow[],
): GapChange {
  const fresh = removed.map(({ seq, hash }): Piece => ({
    from_seq: seq,
    to_seq: seq,
    hash,
    isNew: true,
    parts: [],
  }));
  const stored = gaps.filter(isSignedOff).map((gap): Piece => ({
    ...gap,
    isNew: false,
    parts: [gap.from_seq],
  }));
  const merged: Piece[] = [];
  for (const piece of [...fresh, ...stored].toSorted((a, b) => a.from_seq - b.from_seq)) {
    const last = merged.at(-1);
    if (last?.to_seq !== piece.from_seq - 1) merged.push(piece);
    else merged[merged.length - 1] = joined(last, piece);
  }
  const changed = merged.filter((piece) => piece.isNew);
  return {
    dropped: changed.flatMap((piece) => piece.parts),
    added: changed.map(({ from_seq, to_seq, hash }) => ({ from_seq, to_seq, hash })),
  };
}

function joined(left: Piece, right: Piece): Piece {
  return {
    from_seq: left.from_seq,
    to_seq: right.to_seq,
    hash: right.hash,
    isNew: left.isNew || right.isNew,
    parts: [...left.parts, ...right.parts],
  };
}
