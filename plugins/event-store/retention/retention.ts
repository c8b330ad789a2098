import type { KeyObject } from "node:crypto";
import { compilePattern } from "../../../core/bus/subject.ts";
import { type Clock, timestamp } from "../../../core/clock.ts";
import type { Logger } from "../../../core/log.ts";
import { pause } from "../../../core/supervise.ts";
import type { Storage } from "../../../core/storage/storage.ts";
import type { EventTail } from "../log/event_tail.ts";
import type { EventRow } from "../tables.ts";
import { signGap } from "./anchor.ts";
import { mergeGaps } from "./merge_gaps.ts";
import { type LogEntry, planSweep, type SweepPlan } from "./plan_sweep.ts";
import type { Protection } from "./protection.ts";
import type { RetentionRule } from "./retention_settings.ts";
import { type Hold, type RetentionStore, Superseded } from "./retention_store.ts";
import { plus, RuleProgress, type Tally } from "./rule_progress.ts";
import { WorkSize } from "../../../core/work_size.ts";

/** Waits between rounds: at least this long, and so much longer than the last one that retention is a tenth of the work. */
const idleMs = 5000;
const restFactor = 10;
/** How often the totals are written down while nothing is removed, in milliseconds. */
const saveEveryMs = 60_000;
/** Space is given back once this part of what is left was removed. */
const reclaimShare = 0.1;

export interface RetentionOptions {
  readonly rules: readonly RetentionRule[];
  readonly store: RetentionStore;
  readonly storage: Pick<Storage, "kind" | "reclaim">;
  readonly tail: EventTail;
  readonly clock: Clock;
  readonly log: Logger;
  readonly nodeId: string;
  /** False while the log is damaged: what is left of it is somebody's to look at first. */
  readonly mayRemove: () => boolean;
  /** The agent's key; asked for when the first event is removed. */
  readonly anchorKey: () => Promise<KeyObject>;
  readonly onRemoved: (rule: RetentionRule, tally: Tally) => void;
  /** Events of one transaction at the most. */
  readonly maxBatch?: number;
}

/** What this agent knows as long as it is the one that removes. */
interface Totals {
  readonly rules: readonly RuleProgress[];
  readonly ruleOf: (subject: string) => RuleProgress | undefined;
  readonly stop: () => void;
  hold: Hold;
}

/** A stretch of the log. */
interface Page {
  readonly entries: readonly LogEntry[];
  /** It holds every event up to here. */
  readonly readTo: number;
  /** Whether the log ends there. */
  readonly isEnd: boolean;
}

/** Removes what the rules no longer keep, in small transactions that let everybody else in between. */
export class Retention {
  readonly #options: RetentionOptions;
  readonly #page: WorkSize;
  readonly #batch: WorkSize;
  #totals: Totals | undefined;
  #protection: Protection | undefined;
  #unreclaimed: Tally = { events: 0, bytes: 0 };
  #saved = { at: -Infinity, text: "" };

  constructor(options: RetentionOptions) {
    this.#options = options;
    const most = options.maxBatch ?? 256;
    this.#page = new WorkSize({
      first: Math.min(256, most * 4),
      least: Math.min(64, most * 4),
      most: most * 4,
    });
    this.#batch = new WorkSize({ first: Math.min(64, most), least: Math.min(16, most), most });
  }

  /** Runs until aborted; rejects when the storage does. */
  async run(signal: AbortSignal): Promise<void> {
    try {
      while (!signal.aborted) {
        const started = performance.now();
        await this.round(signal);
        await pause(Math.max(idleMs, (performance.now() - started) * restFactor), signal);
      }
    } finally {
      this.#forget();
    }
  }

  /** Removes what is due now, if it is this agent's turn. */
  async round(signal: AbortSignal): Promise<void> {
    const { store, clock, nodeId, log, mayRemove } = this.#options;
    if (!mayRemove()) return;
    const hold = await store.hold(nodeId, clock.now());
    if (hold === undefined || hold.generation !== this.#totals?.hold.generation) this.#forget();
    if (hold === undefined) return;
    try {
      this.#totals ??= await this.#count(hold, signal);
      if (signal.aborted) return;
      const removed = await this.#sweep(this.#totals, signal);
      if (removed > 0) log.info("old events were removed", { events: removed });
      await this.#save(this.#totals, removed > 0);
      await this.#reclaim(this.#totals, signal);
    } catch (error) {
      this.#forget(); // what was counted may no longer be true
      if (!(error instanceof Superseded)) throw error;
    }
  }

  #forget(): void {
    this.#totals?.stop();
    this.#totals = undefined;
  }

  /** Counts the log once; from then on the tail says what comes. */
  async #count(hold: Hold, signal: AbortSignal): Promise<Totals> {
    const { rules, tail } = this.#options;
    const matchers = rules.map((rule) => ({
      progress: new RuleProgress(rule),
      matches: compilePattern(rule.subject),
    }));
    const ruleOf = (subject: string) => matchers.find(({ matches }) => matches(subject))?.progress;
    const later: EventRow[] = [];
    let add = (rows: readonly EventRow[]): void => void later.push(...rows);
    const stop = tail.listen((rows) => add(rows));
    try {
      const to = tail.position;
      for (let from = 1; from <= to && !signal.aborted;) {
        const entries = await this.#read({ from, to }, signal);
        for (const entry of entries) ruleOf(entry.subject)?.append(entry);
        from = (entries.at(-1)?.seq ?? to) + 1;
      }
    } catch (error) {
      stop();
      throw error;
    }
    const append = (rows: readonly EventRow[]) => {
      for (const row of rows) {
        ruleOf(row.subject)?.append({
          seq: row.seq,
          stored_ms: row.stored_ms,
          bytes: Buffer.byteLength(row.payload),
        });
      }
    };
    append(later);
    add = append;
    this.#saved = { at: -Infinity, text: "" };
    return { rules: matchers.map(({ progress }) => progress), ruleOf, stop, hold };
  }

  /** One statement's worth of the log, and a rest as long as it took. */
  async #read(range: { from: number; to: number }, signal: AbortSignal): Promise<LogEntry[]> {
    const started = performance.now();
    const entries = await this.#options.store.entries(range, this.#page.size);
    const tookMs = performance.now() - started;
    this.#page.took(tookMs);
    await pause(tookMs, signal);
    return entries;
  }

  async #sweep(totals: Totals, signal: AbortSignal): Promise<number> {
    const { store, clock, tail } = this.#options;
    totals.rules.forEach((progress) => progress.begin());
    const protection = await store.protection();
    if (protection.fingerprint !== this.#protection?.fingerprint) {
      totals.rules.forEach((each) => each.reconsider());
    }
    this.#protection = protection;
    const nowMs = clock.now();
    let removed = 0;
    for (;;) {
      const active = totals.rules.filter((progress) => progress.mayBeDue(nowMs));
      if (active.length === 0 || signal.aborted) return removed;
      const from = Math.min(...active.map(({ cursor }) => cursor)) + 1;
      const to = tail.position;
      const size = this.#page.size;
      const entries = from <= to ? await this.#read({ from, to }, signal) : [];
      const isEnd = entries.length < size;
      const readTo = isEnd ? to : entries.at(-1)!.seq;
      removed += await this.#sweepPage({ entries, readTo, isEnd }, { active, totals, nowMs, signal });
    }
  }

  /** Takes one page in as many transactions as it needs. */
  async #sweepPage(
    { entries, readTo, isEnd }: Page,
    { active, totals, nowMs, signal }: {
      active: readonly RuleProgress[];
      totals: Totals;
      nowMs: number;
      signal: AbortSignal;
    },
  ): Promise<number> {
    let removed = 0;
    for (let rest = entries; !signal.aborted;) {
      const plan = planSweep(rest, {
        ruleOf: totals.ruleOf,
        active: active.filter((progress) => progress.mayBeDue(nowMs)),
        protection: this.#protection!,
        nowMs,
        limit: this.#batch.size,
        readTo,
        isEnd,
      });
      if (plan.doomed.length > 0 && !await this.#remove(plan, { totals, signal })) continue;
      removed += plan.doomed.length;
      for (const [progress, step] of plan.steps) progress.advance(step);
      if (plan.isComplete) break;
      rest = rest.slice(rest.indexOf(plan.doomed.at(-1)!) + 1);
    }
    return removed;
  }

  /** False where the plan has to be made anew. */
  async #remove(
    { doomed, steps }: SweepPlan,
    { totals, signal }: { totals: Totals; signal: AbortSignal },
  ): Promise<boolean> {
    const { store, clock, anchorKey, onRemoved } = this.#options;
    const key = await anchorKey();
    const started = performance.now();
    const gaps = await store.gapsAround({ from: doomed[0]!.seq, to: doomed.at(-1)!.seq });
    const { dropped, added } = mergeGaps(doomed, gaps);
    const removed_at = timestamp(clock);
    const losing = [...steps].filter(([, { removed }]) => removed.events > 0);
    const isDone = await store.remove({
      hold: totals.hold,
      nowMs: clock.now(),
      doomed,
      dropped,
      added: added.map((stretch) => signGap({ ...stretch, removed_at }, key)),
      removed: new Map(losing.map(([{ rule }, { removed }]) => [rule.subject, removed])),
      isAllowed: (protection) => {
        this.#protection = protection;
        return doomed.every((entry) =>
          !protection.holds(entry, { keepUnacked: totals.ruleOf(entry.subject)!.rule.keep_unacked })
        );
      },
    });
    const tookMs = performance.now() - started;
    this.#batch.took(tookMs);
    if (isDone) {
      totals.hold = { ...totals.hold, generation: totals.hold.generation + 1 };
      for (const [{ rule }, { removed }] of losing) {
        onRemoved(rule, removed);
        this.#unreclaimed = plus(this.#unreclaimed, removed);
      }
    }
    await pause(tookMs, signal);
    return isDone;
  }

  async #save({ rules, hold }: Totals, isUrgent: boolean): Promise<void> {
    const { store, storage, clock } = this.#options;
    if (!isUrgent && clock.monotonic() - this.#saved.at < saveEveryMs) return;
    const rows = rules.map(({ rule, total, oldest }) => ({
      subject: rule.subject,
      ...total,
      oldest: oldest === undefined ? null : new Date(oldest.stored_ms).toISOString(),
    }));
    const text = JSON.stringify(rows);
    // Where several agents share a database, this also says that we are still here.
    if (isUrgent || storage.kind === "postgres" || text !== this.#saved.text) {
      await store.save(hold, { rows, nowMs: clock.now() });
    }
    this.#saved = { at: clock.monotonic(), text };
  }

  async #reclaim({ rules }: Totals, signal: AbortSignal): Promise<void> {
    const left = rules.map(({ total }) => total).reduce(plus, { events: 0, bytes: 0 });
    const { events, bytes } = this.#unreclaimed;
    if (events === 0 || (events < left.events * reclaimShare && bytes < left.bytes * reclaimShare)) return;
    this.#unreclaimed = { events: 0, bytes: 0 };
    await this.#options.storage.reclaim(["event_store_event"], signal);
  }
}
