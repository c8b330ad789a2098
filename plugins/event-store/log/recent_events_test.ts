import { expect } from "expect";
import { RecentEvents } from "./recent_events.ts";
import type { EventRow } from "../tables.ts";

const rows = (from: number, to: number, payload = "{}") =>
  Array.from({ length: to - from + 1 }, (_, index) => ({ seq: from + index, payload }) as EventRow);
const seqs = (found: readonly EventRow[] | undefined) => found?.map((row) => row.seq);

Deno.test("what is here is handed out without gaps, what is not has to be read", () => {
  const recent = new RecentEvents();
  expect(recent.after(0, 10)).toBe(undefined);
  recent.add(rows(5, 8));
  recent.add(rows(9, 10));
  expect(seqs(recent.after(4, 3))).toEqual([5, 6, 7]);
  expect(seqs(recent.after(7, 10))).toEqual([8, 9, 10]);
  expect(recent.after(3, 10)).toBe(undefined);
  expect(recent.after(10, 10)).toBe(undefined);
  recent.add(rows(20, 21)); // a gap: what lies before it is of no use any more
  expect(recent.after(9, 10)).toBe(undefined);
  expect(seqs(recent.after(19, 10))).toEqual([20, 21]);
});

Deno.test("what was removed from the log is passed over", () => {
  const recent = new RecentEvents();
  recent.add([...rows(5, 6), ...rows(10, 11), ...rows(20, 21)]);
  recent.add(rows(22, 22));
  expect([4, 5, 6, 8, 10, 15, 20, 21].map((seq) => seqs(recent.after(seq, 2)))).toEqual([
    [5, 6],
    [6, 10],
    [10, 11],
    [10, 11],
    [11, 20],
    [20, 21],
    [21, 22],
    [22],
  ]);
  expect(recent.after(22, 2)).toBe(undefined);
});

Deno.test("memory is bounded in events and in size", () => {
  const recent = new RecentEvents();
  for (let seq = 1; seq < 100_000; seq += 100) recent.add(rows(seq, seq + 99));
  expect(recent.after(90_000, 10)).toBe(undefined);
  expect(seqs(recent.after(99_999, 10))).toEqual([100_000]);
  recent.add(rows(100_001, 100_100, "x".repeat(1024 * 1024)));
  expect(recent.after(100_050, 10)).toBe(undefined);
});
