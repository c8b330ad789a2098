import type { BackupFindings, BackupRow, BackupRows } from "../../../core/backup/plugin_backup.ts";
import { firstLink } from "../log/event_hash.ts";
import type { EventRow, GapRow } from "../tables.ts";
import { ChainWalk } from "./chain_walk.ts";
import { findingAt, Findings } from "./finding.ts";
import type { Head } from "./integrity_store.ts";

/** Events passed at once. */
const sectionEvents = 500;
/** Faults that are named. */
const maxFaults = 10;

/** Follows the chain of hashes through the event log in a backup, from its first event to its head. */
export async function inspectBackup(rows: BackupRows): Promise<BackupFindings> {
  const findings = new Findings();
  const walk = new ChainWalk(findings, { from: 1, hash: undefined });
  const gaps = new GapsInOrder(rows("event_store_gap"));
  const head = await headOf(rows);
  let events: EventRow[] = [];
  const pass = async (to: number) => {
    walk.pass({
      events,
      gaps: await gaps.touching(walk.next, to),
      to,
      unreadable: false,
      gapsUnreadable: false,
    });
    events = [];
  };
  for await (const row of rows("event_store_event")) {
    events.push(row as unknown as EventRow);
    if (events.length >= sectionEvents) await pass(events.at(-1)!.seq);
  }
  const last = events.at(-1)?.seq ?? walk.next - 1;
  await pass(Math.max(last, head?.seq ?? 0));
  await gaps.touching(0, Infinity); // read to its end, as its rows are counted
  if (!head) findings.add(findingAt(0, "head_wrong", "The row that says where the log ends is missing"));
  else checkHead(head, { walk, last, findings });
  return {
    summary: { head: head ? { seq: head.seq, hash: head.hash } : null, events: walk.events },
    faults: [
      ...findings.kept.slice(0, maxFaults).map(({ detail }) => detail),
      ...(findings.count > maxFaults ? [`${findings.count - maxFaults} more faults in the event log`] : []),
    ],
  };
}

function checkHead(
  head: Head,
  { walk, last, findings }: { walk: ChainWalk; last: number; findings: Findings },
): void {
  const { seq } = head;
  if (last > seq) {
    findings.add(findingAt(seq, "head_wrong", `The log is said to end at ${seq}, and holds event ${last}`));
  } else if (walk.hash !== undefined && seq > 0 && walk.hash !== head.hash) {
    findings.add(findingAt(seq, "head_wrong", `The log is said to end with another event than ${seq}`));
  } else if (seq === 0 && head.hash !== firstLink) {
    findings.add(findingAt(seq, "head_wrong", "The log is empty, and its head is not"));
  }
  if (walk.events !== head.events) {
    const detail = `The log is said to hold ${head.events} events, and holds ${walk.events}`;
    findings.add(findingAt(seq, "head_wrong", detail));
  }
}

async function headOf(rows: BackupRows): Promise<Head | undefined> {
  let head: Head | undefined;
  for await (const row of rows("event_store_head")) head = row as unknown as Head;
  return head;
}

/** Hands out the gaps of one stretch after the other, without holding all of them. */
class GapsInOrder {
  readonly #rows: AsyncIterator<BackupRow>;
  #held: GapRow[] = [];
  #isAtEnd = false;

  constructor(rows: AsyncIterable<BackupRow>) {
    this.#rows = rows[Symbol.asyncIterator]();
  }

  /** Gaps that touch the stretch; the next one lies behind it. */
  async touching(from: number, to: number): Promise<GapRow[]> {
    this.#held = this.#held.filter((gap) => gap.to_seq >= from);
    while (!this.#isAtEnd && (this.#held.at(-1)?.from_seq ?? -1) <= to) {
      const { done, value } = await this.#rows.next();
      if (done) this.#isAtEnd = true;
      else this.#held.push(value as unknown as GapRow);
    }
    return this.#held.filter((gap) => gap.from_seq <= to);
  }
}
