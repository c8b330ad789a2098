import { expect } from "expect";
import fc from "fast-check";
import { Cron, isTimezone, wallTimeMs } from "./cron.ts";

function upcoming(
  pattern: string,
  { timezone, from, count }: { timezone: string; from: string; count: number },
) {
  const cron = new Cron(pattern, { timezone });
  const found: string[] = [];
  let ms: number | undefined = Date.parse(from);
  while (found.length < count && (ms = cron.next(ms)) !== undefined) found.push(new Date(ms).toISOString());
  return found.map((text) => text.replace(/:00\.000Z$/, "Z"));
}

const cases: [string, string, string, string[]][] = [
  // 02:30 does not exist: right behind the gap, on that day too
  ["30 2 * * *", "Europe/Berlin", "2026-03-28T00:00Z", [
    "2026-03-28T01:30Z",
    "2026-03-29T01:00Z",
    "2026-03-30T00:30Z",
  ]],
  ["30 2 * * *", "America/New_York", "2026-03-07T00:00Z", [
    "2026-03-07T07:30Z",
    "2026-03-08T07:00Z",
    "2026-03-09T06:30Z",
  ]],
  ["30 2,14 * * *", "Europe/Berlin", "2026-03-29T00:00Z", ["2026-03-29T01:00Z", "2026-03-29T12:30Z"]],
  // it exists twice: the first time only
  ["30 2 * * *", "Europe/Berlin", "2026-10-24T12:00Z", ["2026-10-25T00:30Z", "2026-10-26T01:30Z"]],
  ["30 1 * * *", "America/New_York", "2026-10-31T12:00Z", ["2026-11-01T05:30Z", "2026-11-02T06:30Z"]],
  // each hour stays each hour
  ["30 * * * *", "Europe/Berlin", "2026-03-29T00:00Z", [
    "2026-03-29T00:30Z",
    "2026-03-29T01:30Z",
    "2026-03-29T02:30Z",
  ]],
  ["30 * * * *", "America/New_York", "2026-11-01T05:00Z", [
    "2026-11-01T05:30Z",
    "2026-11-01T06:30Z",
    "2026-11-01T07:30Z",
  ]],
  ["30 9 * * *", "Europe/Berlin", "2026-03-28T00:00Z", ["2026-03-28T08:30Z", "2026-03-29T07:30Z"]],
  ["0 0 L * *", "UTC", "2028-02-01T00:00Z", ["2028-02-29T00:00Z", "2028-03-31T00:00Z"]],
];

for (const [pattern, timezone, from, expected] of cases) {
  Deno.test(`${pattern} in ${timezone} from ${from}`, () => {
    expect(upcoming(pattern, { timezone, from, count: expected.length })).toEqual(expected);
  });
}

Deno.test("what is next and what was last are the same moments, whatever the clocks do", () => {
  const patterns = ["*/20 * * * *", "30 2 * * *", "0 3 * * *", "15 1-3 * * *", "0 0 L * *", "30 * * * 0"];
  const zones = ["UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu"];
  const from = Date.parse("2026-01-01T00:00:00Z");
  fc.assert(
    fc.property(
      fc.constantFrom(...patterns),
      fc.constantFrom(...zones),
      fc.integer({ min: from, max: from + 400 * 86_400_000 }),
      (pattern, timezone, afterMs) => {
        const cron = new Cron(pattern, { timezone });
        const nextMs = cron.next(afterMs)!;
        expect(nextMs).toBeGreaterThan(afterMs);
        expect(cron.last(1, nextMs)).toEqual([nextMs]);
        const before = cron.last(2, nextMs)[0]!;
        expect(before).toBeLessThanOrEqual(afterMs);
        expect(cron.next(before)).toBe(nextMs);
      },
    ),
    { numRuns: 300 },
  );
});

Deno.test("bad patterns, zones and times are refused in words", () => {
  expect(() => new Cron("0 8 * *")).toThrow('Cannot schedule "0 8 * *"');
  expect(() => new Cron("0 8 * * 9")).toThrow("dayOfWeek");
  expect(() => new Cron("2030-01-01T00:00:00")).toThrow("it is a time");
  expect(() => new Cron("* * * * *", { timezone: "Mars/Base" })).toThrow('"Mars/Base" is no IANA time zone');
  expect(() => new Cron("* * * * * *", { isFiveFields: true })).toThrow("Cannot schedule");
  expect([isTimezone("Europe/Berlin"), isTimezone("+02:00"), isTimezone("")]).toEqual([true, false, false]);
});

Deno.test("times on the wall become moments", () => {
  expect(wallTimeMs("2026-07-01T12:00:00", "Europe/Berlin")).toBe(Date.parse("2026-07-01T10:00:00Z"));
  expect(wallTimeMs("2026-01-01T12:00:00", "America/New_York")).toBe(Date.parse("2026-01-01T17:00:00Z"));
  expect(wallTimeMs("noon", "UTC")).toBeUndefined();
});
