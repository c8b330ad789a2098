import { expect } from "expect";
import { durationMs, parseDuration, parseSize, sizeBytes } from "./units.ts";

Deno.test("durations and sizes are numbers with a unit, and nothing else", () => {
  const durations: [string, number | undefined][] = [
    ["500ms", 500],
    ["15s", 15_000],
    ["1.5m", 90_000],
    ["2h", 7_200_000],
    ["7d", 604_800_000],
    ["0s", 0],
    ["15", undefined],
    ["15 s", undefined],
    ["-1s", undefined],
    ["s", undefined],
    ["1w", undefined],
    ["1e3s", undefined],
  ];
  for (const [text, expected] of durations) expect([text, parseDuration(text)]).toEqual([text, expected]);
  const sizes: [string, number | undefined][] = [
    ["512b", 512],
    ["1kb", 1024],
    ["1 KB", 1024],
    ["1.5MB", 1_572_864],
    ["2gb", 2_147_483_648],
    ["1", undefined],
    ["kb", undefined],
  ];
  for (const [text, expected] of sizes) expect([text, parseSize(text)]).toEqual([text, expected]);
});

Deno.test("settings say what they expect, and keep their range", () => {
  expect(durationMs().safeParse("soon").error!.issues[0]!.message).toBe(
    'expected something like 500ms, 15s, 5m, 2h or 7d, got "soon"',
  );
  expect(durationMs({ min: 1000 }).safeParse("1ms").error!.issues[0]!.message).toBe('"1ms" is out of range');
  expect(sizeBytes({ max: 1024 }).safeParse("1kb").data).toBe(1024);
  expect(sizeBytes({ max: 1024 }).safeParse("2kb").success).toBe(false);
});
