/** What can be wrong with a log. */
export type FindingKind =
  /** An event does not fit its checksum and hash: it was changed, or the disk did. */
  | "content_changed"
  /** An event does not follow from the one before: one of them was exchanged, or a hash was changed. */
  | "link_broken"
  /** An event is what it was, but its checksum is not. */
  | "checksum_changed"
  /** Events are gone, and no gap tells of it. */
  | "missing"
  /** A gap does not bear a valid signature. */
  | "gap_not_signed"
  /** A gap is where events are. */
  | "gap_contradicted"
  /** The database cannot read what is there. */
  | "unreadable"
  /** An index does not lead to an event, which lists and searches then may not find. */
  | "index_damaged"
  /** The database file is put together wrongly. */
  | "file_damaged"
  /** The row that says where the log ends does not agree with its last event, or with the number of events. */
  | "head_wrong"
  /** The log does not hold what was noted of it elsewhere. */
  | "not_as_expected";

/** One thing that is wrong; `seq` and `toSeq` are the same where it concerns one sequence. */
export interface Finding {
  readonly kind: FindingKind;
  readonly seq: number;
  readonly toSeq: number;
  /** The whole of it as a sentence. */
  readonly detail: string;
}

/** Findings that are kept to be shown; the others are counted. */
const maxKept = 100;

/** What a walk found, in order; a stretch of the same fault is one finding. */
export class Findings {
  readonly kept: Finding[] = [];
  #count = 0;
  #last: Finding | undefined;

  /** How many there are, also of those that are not kept. */
  get count(): number {
    return this.#count;
  }

  add(finding: Finding): void {
    const last = this.#last;
    if (last?.kind === "unreadable" && finding.kind === "unreadable" && finding.seq === last.toSeq + 1) {
      this.#last = unreadable(last.seq, finding.toSeq);
      if (this.kept.at(-1) === last) this.kept[this.kept.length - 1] = this.#last;
      return;
    }
    this.#count++;
    this.#last = finding;
    if (this.kept.length < maxKept) this.kept.push(finding);
  }
}

/** Finding of one sequence. */
export function findingAt(seq: number, kind: FindingKind, detail: string): Finding {
  return { kind, seq, toSeq: seq, detail };
}

/** What the database cannot read. */
export function unreadable(seq: number, toSeq: number): Finding {
  const where = seq === toSeq ? `Sequence ${seq}` : `Sequences ${seq} to ${toSeq}`;
  return {
    kind: "unreadable",
    seq,
    toSeq,
    detail: `${where} cannot be read: the database file is damaged there`,
  };
}

/** Events that no gap accounts for. */
export function missing(seq: number, toSeq: number): Finding {
  const what = seq === toSeq ? `Event ${seq} is` : `Events ${seq} to ${toSeq} are`;
  return { kind: "missing", seq, toSeq, detail: `${what} missing, and no retention has signed for it` };
}
