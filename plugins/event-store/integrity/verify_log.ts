import type { Storage } from "../../../core/storage/storage.ts";
import { pause } from "../../../core/supervise.ts";
import { WorkSize } from "../../../core/work_size.ts";
import { firstLink } from "../log/event_hash.ts";
import { ChainWalk, type Signer } from "./chain_walk.ts";
import { type Finding, findingAt, Findings } from "./finding.ts";
import { IndexCheck } from "./index_check.ts";
import { type Head, IntegrityStore, unlessDamaged } from "./integrity_store.ts";
import type { NotedHead } from "./noted_head.ts";
import { gapAt, readSection } from "./section.ts";

/** Events looked at between two turns of the others. */
const eventsAtOnce = { first: 32, least: 1, most: 1024 };

/** Largest database whose structure is looked through in one go, a quarter of a second's worth. */
const maxInspectedBytes = 256 * 1024 * 1024;

export interface VerifyOptions {
  /** First sequence; default 1. */
  readonly from?: number;
  readonly expect?: NotedHead | undefined;
  readonly signal: AbortSignal;
  /** Called after each step. */
  readonly onProgress?: (progress: Progress) => void;
}

/** How far a walk has come. */
export interface Progress {
  /** Everything before has been looked at. */
  readonly nextSeq: number;
  readonly toSeq: number;
  readonly findings: number;
}

/** What a walk of the log found. */
export interface Verification {
  readonly fromSeq: number;
  /** The last event that was looked at, to note elsewhere; without a hash where it is damaged or missing. */
  readonly head: { readonly seq: number; readonly hash: string | null };
  readonly events: number;
  /** In order, the first hundred of them. */
  readonly findings: readonly Finding[];
  readonly findingCount: number;
  readonly signers: readonly Signer[];
}

/**
 * Walks the log up to where it ends now, in small steps, half of the time at the most: events may be appended and removed
 * meanwhile. Rejects with the signal's reason.
 */
export async function verifyLog(storage: Storage, options: VerifyOptions): Promise<Verification> {
  const store = new IntegrityStore(storage);
  const findings = new Findings();
  for (const fault of await storage.inspect({ maxBytes: maxInspectedBytes }) ?? []) {
    findings.add(findingAt(0, "file_damaged", `The database file is damaged: ${fault}`));
  }
  const head = await unlessDamaged(() => store.head());
  const to = head?.seq ?? await lastReadable(store);
  const from = Math.max(1, Math.min(options.from ?? 1, options.expect?.seq ?? Infinity));
  const walk = new ChainWalk(findings, { from, hash: await hashOf(store, from - 1) });
  const indexes = new IndexCheck(storage);
  const size = new WorkSize(eventsAtOnce);
  while (walk.next <= to) {
    options.signal.throwIfAborted();
    const before = performance.now();
    const section = await readSection(store, { from: walk.next, to }, size.size);
    walk.pass(section);
    for (const finding of await indexes.findings(section.events)) findings.add(finding);
    options.onProgress?.({ nextSeq: walk.next, toSeq: to, findings: findings.count });
    const tookMs = performance.now() - before;
    size.took(tookMs);
    await pause(tookMs, options.signal); // half of the time is for the others
  }
  if (from > to + 1) {
    findings.add(
      findingAt(to, "not_as_expected", `The log ends at ${to}, so that nothing of it follows ${from - 1}`),
    );
  }
  if (options.expect) await compare(store, options.expect, findings);
  await checkHead(store, head, findings);
  return {
    fromSeq: from,
    head: { seq: to, hash: walk.hash ?? null },
    events: walk.events,
    findings: findings.kept,
    findingCount: findings.count,
    signers: walk.signers,
  };
}

async function lastReadable(store: IntegrityStore): Promise<number> {
  return await unlessDamaged(() => store.lastSeq()) ?? 0;
}

/** Hash of an event, or of the removed one that a gap ends with; undefined where nobody knows it. */
async function hashOf(store: IntegrityStore, seq: number): Promise<string | undefined> {
  return await unlessDamaged(async () => {
    const [event] = await store.events({ from: seq, to: seq }, 1);
    if (event) return event.hash;
    const gap = gapAt(await store.gaps({ from: seq, to: seq }), seq);
    return gap?.to_seq === seq ? gap.hash : undefined;
  });
}

/** What the log holds in place of what was noted of it; undefined where it is that, `removed` where nobody can tell. */
export async function compareWithNote(
  store: IntegrityStore,
  { seq, hash }: NotedHead,
): Promise<string | "removed" | undefined> {
  const head = await unlessDamaged(() => store.head());
  if (head && head.seq < seq) {
    return `The log ends at ${head.seq}; when its head was noted it held event ${seq}. ` +
      "Its end is lost, or it is another log";
  }
  const found = await hashOf(store, seq);
  if (found === hash) return undefined;
  return found === undefined ? "removed" : `Event ${seq} is another than when its hash was noted`;
}

async function compare(store: IntegrityStore, expect: NotedHead, findings: Findings): Promise<void> {
  const difference = await compareWithNote(store, expect);
  if (difference === undefined) return;
  const unknown =
    `Event ${expect.seq} cannot be compared with what was noted of it: it was removed, or cannot be read`;
  findings.add(findingAt(expect.seq, "not_as_expected", difference === "removed" ? unknown : difference));
}

/** Whether the end that the log claims is that of its events; read anew, since both may have moved on. */
async function checkHead(store: IntegrityStore, first: Head | undefined, findings: Findings): Promise<void> {
  const add = (seq: number, detail: string) => findings.add(findingAt(seq, "head_wrong", detail));
  const head = first && await unlessDamaged(() => store.head());
  if (!head) return add(0, "The row that says where the log ends is missing, or cannot be read");
  const hash = head.seq === 0 ? firstLink : await hashOf(store, head.seq);
  if (hash !== undefined && hash !== head.hash) {
    add(head.seq, `The log is said to end with another event than the one with the sequence ${head.seq}`);
  }
  const last = await unlessDamaged(() => store.lastSeq());
  const end = await unlessDamaged(() => store.head());
  if (last !== undefined && end && last > end.seq) {
    add(end.seq, `The log is said to end at ${end.seq}, and there are events up to ${last}`);
  }
  await checkCount(store, findings);
}

/** Every sequence is an event or lies in a gap; retention moves both numbers at once, appending neither. */
async function checkCount(store: IntegrityStore, findings: Findings): Promise<void> {
  await unlessDamaged(async () => {
    for (let look = 0; look < 3; look++) {
      const before = await store.head();
      const removed = await store.removedSequences();
      const after = await store.head();
      if (!before || !after || before.seq - before.events !== after.seq - after.events) continue;
      if (after.seq - after.events === removed) return;
      findings.add(findingAt(
        after.seq,
        "head_wrong",
        `The log is said to hold ${after.events} events; by its sequences and gaps they are ${
          after.seq - removed
        }`,
      ));
      return;
    }
  });
}
