import { expect } from "expect";
import { parseTimeExpression } from "./time_expression.ts";

const now = Date.parse("2026-03-01T12:00:00Z");

Deno.test("times come as RFC 3339 or as a span back from now, and leave as UTC", () => {
  const table: [string, string | undefined][] = [
    ["15m", "2026-03-01T11:45:00.000Z"],
    ["2h", "2026-03-01T10:00:00.000Z"],
    ["7d", "2026-02-22T12:00:00.000Z"],
    ["2026-01-31T12:00:00Z", "2026-01-31T12:00:00.000Z"],
    ["2026-01-31T12:00:00.123456+02:00", "2026-01-31T10:00:00.123Z"],
    ["2026-01-31", undefined],
    ["2026-01-31T12:00:00", undefined],
    ["2026-13-31T12:00:00Z", undefined],
    ["xh", undefined],
    ["-5m", undefined],
    ["", undefined],
    ["999999999999d", undefined],
    ["999999d", undefined],
    ["0000-01-01T00:00:00Z", "0000-01-01T00:00:00.000Z"],
    ["0000-01-01T00:00:00+01:00", undefined],
    ["9999-12-31T23:59:59-01:00", undefined],
  ];
  for (const [text, expected] of table) {
    expect([text, parseTimeExpression(text, now)]).toEqual([text, expected]);
  }
});
