import { checksumOf, firstLink, linkAfter } from "../log/event_hash.ts";
import { isSignedOff } from "../retention/anchor.ts";
import type { EventRow, GapRow } from "../tables.ts";
import { findingAt, type Findings, missing, unreadable } from "./finding.ts";
import { gapAt, type Section } from "./section.ts";

/** What the next event has to follow. */
interface Link {
  /** As it is stored. */
  readonly stored: string;
  /** As it follows from the content; another than `stored` where one of the two is damaged. */
  readonly computed: string;
}

/** Who signed for removed events. */
export interface Signer {
  /** Public key (Ed25519, base64url). */
  readonly signer: string;
  readonly gaps: number;
  readonly events: number;
}

/** Follows the chain of hashes from one event to the next, over the gaps that retention left. */
export class ChainWalk {
  readonly #findings: Findings;
  readonly #signers = new Map<string, { gaps: number; events: number }>();
  #next: number;
  #link: Link | undefined;
  #events = 0;
  #toldOfGaps = false;

  /** Begins at the sequence `from`, behind an event with that hash; undefined = nobody knows. */
  constructor(findings: Findings, { from, hash }: { from: number; hash: string | undefined }) {
    this.#findings = findings;
    this.#next = from;
    this.#link = from === 1 ? sound(firstLink) : hash === undefined ? undefined : sound(hash);
  }

  /** The sequence that comes next. */
  get next(): number {
    return this.#next;
  }

  /** Hash of what came last, as it is stored; undefined behind what is missing or cannot be read. */
  get hash(): string | undefined {
    return this.#link?.stored;
  }

  /** Events that were looked at. */
  get events(): number {
    return this.#events;
  }

  /** Who signed for the gaps that were passed. */
  get signers(): Signer[] {
    return [...this.#signers].map(([signer, counts]) => ({ signer, ...counts }));
  }

  /** Takes the section that begins at `next`. */
  pass({ events, gaps, to, unreadable: isUnreadable, gapsUnreadable }: Section): void {
    if (gapsUnreadable && !this.#toldOfGaps) {
      this.#toldOfGaps = true;
      this.#findings.add(findingAt(this.#next, "unreadable", "What retention removed cannot be read"));
    }
    for (const event of events) {
      this.#passGaps(gaps, event.seq - 1);
      const gap = gapAt(gaps, event.seq);
      if (gap) this.#contradicted(gap, event.seq);
      this.#passEvent(event);
    }
    if (isUnreadable) {
      this.#findings.add(unreadable(this.#next, to));
      this.#link = undefined;
      this.#next = to + 1;
    } else this.#passGaps(gaps, to);
  }

  #passEvent(event: EventRow): void {
    const computed = this.#link && linkAfter(this.#link.stored, event);
    const isLinked = computed === undefined || computed === event.hash || this.#followsComputed(event);
    const isWhole = checksumOf(event) === event.checksum;
    const { seq } = event;
    if (!isLinked && !isWhole) {
      this.#findings.add(findingAt(seq, "content_changed", `Event ${seq} is not what was stored`));
    } else if (!isLinked) this.#findings.add(findingAt(seq, "link_broken", brokenLink(seq)));
    else if (!isWhole && computed !== undefined) {
      this.#findings.add(
        findingAt(
          seq,
          "checksum_changed",
          `The checksum of event ${seq} is not what was stored; the event is`,
        ),
      );
    } else if (!isWhole) {
      this.#findings.add(findingAt(seq, "content_changed", `Event ${seq} does not fit its checksum`));
    }
    this.#link = { stored: event.hash, computed: computed ?? event.hash };
    this.#next = seq + 1;
    this.#events++;
  }

  /** Where only the hash of the event before is damaged, the chain goes on from what that should be. */
  #followsComputed(event: EventRow): boolean {
    const { stored, computed } = this.#link!;
    return computed !== stored && linkAfter(computed, event) === event.hash;
  }

  /** Goes on to `to` where there are no events. */
  #passGaps(gaps: readonly GapRow[], to: number): void {
    while (this.#next <= to) {
      const gap = gapAt(gaps, this.#next);
      if (gap) {
        this.#passGap(gap, to);
        continue;
      }
      const following = gaps.find(({ from_seq }) => from_seq > this.#next);
      const end = Math.min(to, (following?.from_seq ?? Infinity) - 1);
      this.#findings.add(missing(this.#next, end));
      this.#link = undefined;
      this.#next = end + 1;
    }
  }

  #passGap(gap: GapRow, to: number): void {
    // A damaged row may hold values of any kind.
    if (typeof gap.signature === "string" && isSignedOff(gap)) this.#sign(gap);
    else {
      this.#findings.add({
        kind: "gap_not_signed",
        seq: gap.from_seq,
        toSeq: gap.to_seq,
        detail: `Events ${gap.from_seq} to ${gap.to_seq} were removed without a valid signature`,
      });
    }
    // A gap that reaches beyond tells the hash of an event that is not this one.
    this.#link = gap.to_seq <= to ? sound(gap.hash) : undefined;
    this.#next = Math.min(gap.to_seq, to) + 1;
  }

  #sign({ signer, from_seq, to_seq }: GapRow): void {
    const { gaps, events } = this.#signers.get(signer) ?? { gaps: 0, events: 0 };
    this.#signers.set(signer, { gaps: gaps + 1, events: events + to_seq - from_seq + 1 });
  }

  #contradicted({ from_seq, to_seq }: GapRow, seq: number): void {
    this.#findings.add(
      findingAt(
        seq,
        "gap_contradicted",
        `Event ${seq} is stored, although events ${from_seq} to ${to_seq} are said to be removed`,
      ),
    );
  }
}

function sound(hash: string): Link {
  return { stored: hash, computed: hash };
}

function brokenLink(seq: number): string {
  return seq === 1
    ? "Event 1 is not the one that began this log"
    : `Event ${seq} does not follow event ${seq - 1}: one of them was exchanged, or a hash was changed`;
}
