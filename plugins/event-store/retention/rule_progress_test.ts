import { expect } from "expect";
import { RuleProgress } from "./rule_progress.ts";

const nothing = { events: 0, bytes: 0 };

function event(seq: number, bytes = 10) {
  return { seq, stored_ms: seq * 1000, bytes };
}

function progressOf(limits: object, count: number): RuleProgress {
  const progress = new RuleProgress({ subject: ">", keep_unacked: true, ...limits });
  for (let seq = 1; seq <= count; seq++) progress.append(event(seq));
  progress.begin();
  return progress;
}

Deno.test("an event is due by its age, by those behind it, or by their size", () => {
  const isDue = (limits: object, passed = nothing) =>
    progressOf(limits, 5).isDue(event(1), { passed, nowMs: 10_000 });
  expect(isDue({ max_age: 8999 })).toBe(true);
  expect(isDue({ max_age: 9000 })).toBe(false);
  expect(isDue({ max_count: 4 })).toBe(true);
  expect(isDue({ max_count: 5 })).toBe(false);
  expect(isDue({ max_count: 4 }, { events: 1, bytes: 10 })).toBe(false);
  expect(isDue({ max_bytes: 49 })).toBe(true);
  expect(isDue({ max_bytes: 50 })).toBe(false);
});

Deno.test("what is appended during a round pushes nothing out before the next", () => {
  const progress = progressOf({ max_count: 5 }, 5);
  progress.append(event(6));
  expect(progress.mayBeDue(10_000)).toBe(false);
  progress.begin();
  expect(progress.mayBeDue(10_000)).toBe(true);
});

Deno.test("what is appended while the last events are removed is looked at by the next round", () => {
  const progress = progressOf({ max_count: 0 }, 2);
  const removed = { events: 2, bytes: 20 };
  progress.append(event(3));
  progress.advance({ removed, held: nothing, firstHeld: undefined, cursor: 2, next: null });
  expect(progress.total).toEqual({ events: 1, bytes: 10 });
  progress.begin();
  expect(progress.mayBeDue(10_000)).toBe(true);
});

Deno.test("held events are counted, and looked at again when what held them changes", () => {
  const progress = progressOf({ max_count: 1 }, 4);
  const removed = { events: 1, bytes: 10 };
  const held = { events: 2, bytes: 20 };
  progress.advance({ removed, held, firstHeld: event(2), cursor: 3, next: event(4) });
  expect(progress).toMatchObject({ total: { events: 3, bytes: 30 }, cursor: 3, oldest: event(2) });
  expect(progress.mayBeDue(0)).toBe(false);
  progress.reconsider();
  expect(progress).toMatchObject({ total: { events: 3, bytes: 30 }, cursor: 1, oldest: event(2) });
  expect(progress.mayBeDue(0)).toBe(true);
});
