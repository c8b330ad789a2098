import { expect } from "expect";
import { Timing, type TimingRule, whenSchema } from "./timing.ts";

const from = Date.parse("2026-03-01T00:00:00Z");

function upcoming(when: unknown, rest: Partial<TimingRule> = {}, count = 3): string[] {
  const rule = { when: whenSchema.parse(when), timezone: "UTC", window: {}, ...rest };
  return new Timing(rule).upcoming(count, from).map((ms) => new Date(ms).toISOString().slice(0, 16));
}

Deno.test("each kind runs when it says", () => {
  const timezone = "Europe/Berlin";
  expect(upcoming({ kind: "once", at: "2026-03-05T10:00" }, { timezone })).toEqual(["2026-03-05T09:00"]);
  expect(upcoming({ kind: "once", at: "2026-03-05T10:00:00+02:00" })).toEqual(["2026-03-05T08:00"]);
  expect(upcoming({ kind: "hourly", minute: 5 }, {}, 2)).toEqual(["2026-03-01T00:05", "2026-03-01T01:05"]);
  expect(upcoming({ kind: "hourly" }, {}, 1)).toEqual(["2026-03-01T01:00"]);
  expect(upcoming({ kind: "daily", at: "08:30" }, { timezone }, 2)).toEqual([
    "2026-03-01T07:30",
    "2026-03-02T07:30",
  ]);
  expect(upcoming({ kind: "weekly", days: ["mon", "fri"], at: "08:30" })).toEqual([
    "2026-03-02T08:30",
    "2026-03-06T08:30",
    "2026-03-09T08:30",
  ]);
  expect(upcoming({ kind: "monthly", day: 31, at: "08:30" })).toEqual([
    "2026-03-31T08:30",
    "2026-05-31T08:30",
    "2026-07-31T08:30",
  ]);
  expect(upcoming({ kind: "monthly", day: "last", at: "08:30" }, {}, 2)).toEqual([
    "2026-03-31T08:30",
    "2026-04-30T08:30",
  ]);
  expect(upcoming({ kind: "cron", pattern: "*/30 9 * * 1-5" })).toEqual([
    "2026-03-02T09:00",
    "2026-03-02T09:30",
    "2026-03-03T09:00",
  ]);
});

Deno.test("a daily time that summer time skips comes behind the gap, one that comes twice once", () => {
  const daily = { kind: "daily", at: "02:30" };
  const zone = { timezone: "Europe/Berlin" };
  const window = { from: "2026-03-28", to: "2026-03-30" };
  expect(upcoming(daily, { ...zone, window }, 9)).toEqual([
    "2026-03-28T01:30",
    "2026-03-29T01:00",
    "2026-03-30T00:30",
  ]);
  const autumn = { from: "2026-10-25", to: "2026-10-25" };
  expect(upcoming(daily, { ...zone, window: autumn }, 9)).toEqual(["2026-10-25T00:30"]);
  const america = { timezone: "America/New_York", window: { from: "2026-11-01", to: "2026-11-01" } };
  expect(upcoming({ kind: "daily", at: "01:30" }, america, 9)).toEqual(["2026-11-01T05:30"]);
});

Deno.test("a window ends with its last date, and cuts what passed", () => {
  const daily = { kind: "daily", at: "23:59" };
  const window = { from: "2026-03-05T12:00", to: "2026-03-06" };
  expect(upcoming(daily, { window }, 9)).toEqual(["2026-03-05T23:59", "2026-03-06T23:59"]);
  const timing = new Timing({ when: whenSchema.parse(daily), timezone: "UTC", window });
  const passed = timing.between(from, { untilMs: Date.parse("2026-04-01T00:00:00Z"), count: 100 });
  expect(passed.map((ms) => new Date(ms).getUTCDate())).toEqual([5, 6]);
  const once = { kind: "once", at: "2026-03-07T00:00" };
  expect(upcoming(once, { window })).toEqual([]);
});

Deno.test("what passed is the latest of it", () => {
  const timing = new Timing({ when: { kind: "hourly", minute: 0 }, timezone: "UTC", window: {} });
  const passed = timing.between(from, { untilMs: from + 1000 * 3_600_000, count: 100 });
  expect(passed).toHaveLength(100);
  expect(passed.at(-1)).toBe(from + 1000 * 3_600_000);
  expect(timing.between(from, { untilMs: from, count: 100 })).toEqual([from]);
});

Deno.test("what makes no sense is refused", () => {
  for (
    const when of [
      { kind: "daily", at: "24:00" },
      { kind: "hourly", minute: 60 },
      { kind: "weekly", days: [], at: "08:00" },
      { kind: "monthly", day: 32, at: "08:00" },
      { kind: "once", at: "tomorrow" },
      { kind: "cron", pattern: "* * * * *", at: "08:00" },
      { kind: "never" },
    ]
  ) expect(whenSchema.safeParse(when).success).toBe(false);
  const refused = (when: unknown, rest: Partial<TimingRule> = {}) => () => upcoming(when, rest);
  expect(refused({ kind: "cron", pattern: "* * * * * *" })).toThrow("Cannot save the schedule");
  expect(refused({ kind: "cron", pattern: "61 * * * *" })).toThrow("Cannot save the schedule");
  expect(refused({ kind: "once", at: "2026-02-31T10:00" })).toThrow("is no date or time");
  const window = { from: "2026-03-02", to: "2026-03-01" };
  expect(refused({ kind: "hourly" }, { window })).toThrow("ends before it begins");
});
