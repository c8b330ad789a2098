import { z } from "@hono/zod-openapi";
import { Cron, isTimezone, wallTimeMs } from "../cron.ts";
import { Problem } from "../errors.ts";

const dateTime = /^\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d(\.\d{1,3})?)?(Z|[+-]\d\d:\d\d)?$/;
const date = /^\d{4}-\d\d-\d\d$/;
const days = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"] as const;

const timeOfDay = z.string().regex(/^([01]\d|2[0-3]):[0-5]\d$/, "expected a time such as 08:30")
  .openapi({ example: "08:30" });

/** When a schedule runs, by the clock on the wall of its zone. */
export const whenSchema = z.discriminatedUnion("kind", [
  z.strictObject({
    kind: z.literal("once"),
    at: z.string().regex(dateTime, "expected 2026-01-31T12:00, or RFC 3339 with an offset"),
  }),
  z.strictObject({ kind: z.literal("hourly"), minute: z.int().min(0).max(59).default(0) }),
  z.strictObject({ kind: z.literal("daily"), at: timeOfDay }),
  z.strictObject({
    kind: z.literal("weekly"),
    days: z.array(z.enum(days)).min(1).max(7),
    at: timeOfDay,
  }),
  z.strictObject({
    kind: z.literal("monthly"),
    day: z.union([z.int().min(1).max(31), z.literal("last")])
      .describe("Months without that day are left out; `last` is in every month"),
    at: timeOfDay,
  }),
  z.strictObject({
    kind: z.literal("cron"),
    pattern: z.string().min(9).max(200).describe("Five fields: minute, hour, day, month, day of the week"),
  }),
]).openapi("ScheduleWhen");

const windowEnd = z.string().refine((text) => date.test(text) || dateTime.test(text), {
  message: "expected 2026-01-31, 2026-01-31T12:00, or RFC 3339",
});

/** Between which dates a schedule runs; a date stands for its first moment in `from`, for its last in `to`. */
export const windowSchema = z.strictObject({
  from: windowEnd.optional(),
  to: windowEnd.optional(),
}).openapi("ScheduleWindow");

/** IANA name of a time zone. */
export const timezoneSchema = z.string().min(1).max(64).refine(isTimezone, {
  message: "expected an IANA time zone such as Europe/Berlin",
});

/** All that says when a schedule runs. */
export interface TimingRule {
  readonly when: z.output<typeof whenSchema>;
  readonly timezone: string;
  readonly window: z.output<typeof windowSchema>;
}

/** The moments of one schedule. All times are milliseconds since 1970. */
export class Timing {
  readonly #onceMs: number | undefined;
  readonly #cron: Cron | undefined;
  readonly #fromMs: number;
  readonly #toMs: number;

  /** Throws Problem 422 where the rule makes no sense. */
  constructor({ when, timezone, window }: TimingRule) {
    this.#fromMs = window.from === undefined ? -Infinity : momentMs(window.from, { timezone, isEnd: false });
    this.#toMs = window.to === undefined ? Infinity : momentMs(window.to, { timezone, isEnd: true });
    if (this.#fromMs > this.#toMs) throw invalid("the window ends before it begins");
    if (when.kind === "once") this.#onceMs = momentMs(when.at, { timezone, isEnd: false });
    else {
      try {
        this.#cron = new Cron(patternOf(when), { timezone, isFiveFields: true });
      } catch (error) {
        throw invalid(error instanceof Error ? error.message : String(error), error);
      }
    }
  }

  /** The first moment after `afterMs`; undefined where none comes. */
  next(afterMs: number): number | undefined {
    if (this.#onceMs !== undefined) {
      return this.#onceMs > afterMs && this.#inWindow(this.#onceMs) ? this.#onceMs : undefined;
    }
    const nextMs = this.#cron?.next(Math.max(afterMs, this.#fromMs - 1));
    return nextMs !== undefined && this.#inWindow(nextMs) ? nextMs : undefined;
  }

  /** Up to `count` moments after `afterMs`. */
  upcoming(count: number, afterMs: number): number[] {
    const found: number[] = [];
    for (let ms = this.next(afterMs); ms !== undefined && found.length < count; ms = this.next(ms)) {
      found.push(ms);
    }
    return found;
  }

  /** The last moments, `count` at the most, from `fromMs` to `untilMs`, both included; the oldest first. */
  between(fromMs: number, { untilMs, count }: { untilMs: number; count: number }): number[] {
    const found = this.#onceMs !== undefined
      ? [this.#onceMs]
      : this.#cron?.last(count, Math.min(untilMs, this.#toMs)) ?? [];
    return found.filter((ms) => ms >= fromMs && ms <= untilMs && this.#inWindow(ms));
  }

  #inWindow(ms: number): boolean {
    return ms >= this.#fromMs && ms <= this.#toMs;
  }
}

function patternOf(when: Exclude<TimingRule["when"], { kind: "once" }>): string {
  if (when.kind === "cron") return when.pattern;
  if (when.kind === "hourly") return `${when.minute} * * * *`;
  const [hour, minute] = when.at.split(":").map(Number);
  const time = `${minute} ${hour}`;
  if (when.kind === "daily") return `${time} * * *`;
  if (when.kind === "weekly") return `${time} * * ${when.days.map((day) => days.indexOf(day)).join(",")}`;
  return `${time} ${when.day === "last" ? "L" : when.day} * *`;
}

function momentMs(text: string, { timezone, isEnd }: { timezone: string; isEnd: boolean }): number {
  const isDate = date.test(text);
  const full = isDate ? `${text}T${isEnd ? "23:59:59" : "00:00:00"}` : withSeconds(text);
  // The library would take the 31st of February for the 3rd of March.
  const day = text.slice(0, 10);
  const isReal = new Date(`${day}T00:00:00Z`).toJSON()?.startsWith(day);
  const ms = isReal ? (hasOffset(text) ? Date.parse(full) : wallTimeMs(full, timezone)) : undefined;
  if (ms === undefined || Number.isNaN(ms)) throw invalid(`"${text}" is no date or time`);
  return isDate && isEnd ? ms + 999 : ms;
}

function withSeconds(text: string): string {
  return text.replace(/T(\d\d:\d\d)(?!:)(?=$|Z|[+-])/, "T$1:00");
}

function hasOffset(text: string): boolean {
  return /T.*(Z|[+-]\d\d:\d\d)$/.test(text);
}

function invalid(state: string, cause?: unknown): Problem {
  return new Problem(422, "invalid_schedule", { detail: `Cannot save the schedule: ${state}`, cause });
}
