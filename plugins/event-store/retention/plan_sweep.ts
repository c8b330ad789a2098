import type { EventRow } from "../tables.ts";
import type { Protection } from "./protection.ts";
import { type Measured, plus, type RuleProgress, type Step, type Tally } from "./rule_progress.ts";

/** As much of a stored event as retention reads. */
export interface LogEntry extends Measured, Pick<EventRow, "subject" | "node_id" | "arrival" | "hash"> {}

/** What one page of the log comes to. */
export interface SweepPlan {
  /** To be removed, in order. */
  readonly doomed: readonly LogEntry[];
  readonly steps: ReadonlyMap<RuleProgress, Step>;
  /** False where the limit ended it early: the page has to be looked at again behind the last doomed event. */
  readonly isComplete: boolean;
}

interface SweepOptions {
  /** Which rule decides for a subject. */
  readonly ruleOf: (subject: string) => RuleProgress | undefined;
  /** The rules that are looked at. */
  readonly active: Iterable<RuleProgress>;
  readonly protection: Protection;
  readonly nowMs: number;
  /** Events to remove at the most. */
  readonly limit: number;
  /** Up to where the log was read for this page; the page holds every event up to there. */
  readonly readTo: number;
  /** Whether the log ends there. */
  readonly isEnd: boolean;
}

type Draft = { -readonly [Key in keyof Step]: Step[Key] };

/** Decides event by event, in the order of the log, what a page loses. Changes nothing yet. */
export function planSweep(page: readonly LogEntry[], options: SweepOptions): SweepPlan {
  const { ruleOf, protection, nowMs, limit } = options;
  const none: Tally = { events: 0, bytes: 0 };
  const steps = new Map<RuleProgress, Draft>();
  for (const progress of options.active) {
    steps.set(progress, {
      removed: none,
      held: none,
      firstHeld: undefined,
      cursor: progress.cursor,
      next: undefined,
    });
  }
  const looking = new Set(steps.keys());
  const doomed: LogEntry[] = [];
  let isComplete = true;
  for (const entry of page) {
    const progress = ruleOf(entry.subject);
    if (!progress || !looking.has(progress) || entry.seq <= progress.cursor) continue;
    const step = steps.get(progress)!;
    if (!progress.isDue(entry, { passed: plus(step.removed, step.held), nowMs })) {
      step.next = entry;
      step.cursor = entry.seq - 1;
      looking.delete(progress);
      if (looking.size === 0) break;
      continue;
    }
    const tally = { events: 1, bytes: entry.bytes };
    if (protection.holds(entry, { keepUnacked: progress.rule.keep_unacked })) {
      step.held = plus(step.held, tally);
      step.firstHeld ??= entry;
      continue;
    }
    step.removed = plus(step.removed, tally);
    doomed.push(entry);
    if (doomed.length === limit) {
      isComplete = false;
      break;
    }
  }
  const readTo = isComplete ? options.readTo : doomed.at(-1)!.seq;
  for (const progress of looking) {
    const step = steps.get(progress)!;
    step.cursor = Math.max(step.cursor, readTo);
    if (options.isEnd && isComplete) step.next = null;
  }
  return { doomed, steps, isComplete };
}
