import { expect } from "expect";
import { Pacer } from "./pacer.ts";

/** What each event would be waited for, by a clock that moves exactly as asked. */
function waits(
  times: readonly number[],
  options: { speed: number; maxGapMs?: number; lateMs?: number },
): number[] {
  let now = 1000;
  const clock = { now: () => 0, monotonic: () => now };
  const pacer = new Pacer({ clock, speed: options.speed, maxGapMs: options.maxGapMs ?? null });
  return times.map((time) => {
    const delayMs = pacer.delayMs(time);
    now += Math.max(0, delayMs) + (options.lateMs ?? 0);
    pacer.sent(time);
    return delayMs;
  });
}

Deno.test("events keep the distances they had, divided by the speed", () => {
  expect(waits([100, 150, 150, 1150], { speed: 1 })).toEqual([0, 50, 0, 1000]);
  expect(waits([100, 150, 150, 1150], { speed: 10 })).toEqual([0, 5, 0, 100]);
  expect(waits([100, 150, 150, 1150], { speed: 0.5 })).toEqual([0, 100, 0, 2000]);
});

Deno.test("at speed 0 nothing is waited for", () => {
  expect(waits([0, 1e12, 0], { speed: 0 })).toEqual([0, 0, 0]);
});

Deno.test("a gap is cut to the longest wait that is asked for", () => {
  expect(waits([0, 86_400_000, 86_400_010], { speed: 1, maxGapMs: 500 })).toEqual([0, 500, 10]);
  expect(waits([0, 86_400_000], { speed: 1000, maxGapMs: 500 })).toEqual([0, 500]);
});

Deno.test("late timers do not add up", () => {
  expect(waits([0, 100, 200, 300], { speed: 1, lateMs: 5 })).toEqual([0, 100, 95, 95]);
});

Deno.test("a time that steps back is due at once, and its way back up is not waited for", () => {
  expect(waits([1000, 400, 900, 1010], { speed: 1 })).toEqual([0, 0, 0, 10]);
});
