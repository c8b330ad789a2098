import type { RetentionRule } from "./retention_settings.ts";

/** What a rule has to know of an event. */
export interface Measured {
  readonly seq: number;
  readonly stored_ms: number;
  /** Of the payload as stored. */
  readonly bytes: number;
}

/** A number of events and the bytes of their payloads. */
export interface Tally {
  readonly events: number;
  readonly bytes: number;
}

/** What one look at the log found out about one rule, to be taken over once the removal has committed. */
export interface Step {
  readonly removed: Tally;
  /** Over the limits, and yet not to be removed. */
  readonly held: Tally;
  readonly firstHeld: Measured | undefined;
  /** The log was looked at up to here. */
  readonly cursor: number;
  /** The first event within the limits; null: none up to the end of the log; undefined: not reached yet. */
  readonly next: Measured | null | undefined;
}

const nothing: Tally = { events: 0, bytes: 0 };

/**
 * How much of the log falls under one rule, kept up by what is appended and removed. Limits are monotonous: where one
 * event is within them, so are all later ones. So each event is looked at once, behind a cursor that only moves on.
 */
export class RuleProgress {
  readonly rule: RetentionRule;
  #cursor = 0;
  #ahead = nothing;
  /** Those of them that came since the round began: they push nothing out before the next one. */
  #fresh = nothing;
  #held = nothing;
  #firstHeld: Measured | undefined;
  #next: Measured | null | undefined = null;

  constructor(rule: RetentionRule) {
    this.rule = rule;
  }

  /** Of the events up to here only held ones are left. */
  get cursor(): number {
    return this.#cursor;
  }

  /** All events of the rule that are stored. */
  get total(): Tally {
    return plus(this.#ahead, this.#held);
  }

  /** The oldest event that is stored. */
  get oldest(): Measured | undefined {
    return this.#firstHeld ?? this.#next ?? undefined;
  }

  /** Begins a round, which ends even while events are appended faster than it removes them. */
  begin(): void {
    this.#fresh = nothing;
  }

  /** Counts an event at the end of the log. */
  append(event: Measured): void {
    const tally = { events: 1, bytes: event.bytes };
    this.#ahead = plus(this.#ahead, tally);
    this.#fresh = plus(this.#fresh, tally);
    this.#next = this.#next === null ? event : this.#next;
  }

  /** Whether an event is beyond the limits, when `passed` of those behind the cursor are taken off. */
  isDue(event: Measured, { passed, nowMs }: { passed: Tally; nowMs: number }): boolean {
    const { max_age = Infinity, max_count = Infinity, max_bytes = Infinity } = this.rule;
    const { events, bytes } = minus(minus(this.#ahead, this.#fresh), passed);
    return event.stored_ms < nowMs - max_age || events > max_count || bytes > max_bytes;
  }

  /** Whether it is worth looking at the log. */
  mayBeDue(nowMs: number): boolean {
    if (this.#next === null) return false;
    return this.#next === undefined || this.isDue(this.#next, { passed: nothing, nowMs });
  }

  /** Takes over what was found, and done. What was appended meanwhile stays counted. */
  advance(step: Step): void {
    const isGrown = step.next === null && this.#ahead.events > step.removed.events + step.held.events;
    this.#ahead = minus(this.#ahead, plus(step.removed, step.held));
    this.#held = plus(this.#held, step.held);
    this.#firstHeld ??= step.firstHeld;
    this.#cursor = Math.max(this.#cursor, step.cursor);
    this.#next = isGrown ? undefined : step.next;
  }

  /** Looks at the held events anew: what held them has changed. */
  reconsider(): void {
    if (!this.#firstHeld) return;
    this.#ahead = this.total;
    this.#held = nothing;
    this.#cursor = this.#firstHeld.seq - 1;
    this.#next = this.#firstHeld;
    this.#firstHeld = undefined;
  }
}

/** The sum. */
export function plus(a: Tally, b: Tally): Tally {
  return { events: a.events + b.events, bytes: a.bytes + b.bytes };
}

function minus(a: Tally, b: Tally): Tally {
  return { events: a.events - b.events, bytes: a.bytes - b.bytes };
}
