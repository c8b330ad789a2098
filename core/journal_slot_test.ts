import { expect } from "expect";
import type { Subscription } from "./bus/bus.ts";
import type { Journal } from "./events.ts";
import { JournalSlot } from "./journal_slot.ts";

/** A journal that notes who consumes it. */
function journal(name: string, notes: string[]): Journal {
  return {
    append: () => Promise.reject(new Error("never called")),
    consume: ({ durable }): Subscription => {
      notes.push(`${name}: ${durable} begins`);
      return { stop: () => Promise.resolve(void notes.push(`${name}: ${durable} ends`)) };
    },
  };
}

const options = (durable: string) => ({ durable, pattern: "hub.>", owner: "test" });

Deno.test("a consumer goes from one journal to the next, and is gone when it is stopped", async () => {
  const notes: string[] = [];
  const slot = new JournalSlot();
  expect([slot.current, slot.isExpected]).toEqual([undefined, false]);
  const early = slot.consume(options("early"), () => {});
  const first = journal("first", notes);
  const leave = slot.keep(first);
  expect([slot.current, slot.isExpected]).toEqual([first, true]);
  const late = slot.consume(options("late"), () => {});
  expect(() => slot.keep(journal("thief", notes))).toThrow("Cannot keep events: another plugin keeps them");
  await leave();
  await leave();
  expect([slot.current, slot.isExpected]).toEqual([undefined, true]);
  await late.stop();
  const leaveSecond = slot.keep(journal("second", notes));
  await early.stop();
  await leaveSecond();
  expect(notes).toEqual([
    "first: early begins",
    "first: late begins",
    "first: early ends",
    "first: late ends",
    "second: early begins",
    "second: early ends",
  ]);
});

Deno.test("a handler that hangs keeps no journal in its place for ever", async () => {
  const slot = new JournalSlot();
  const hanging: Journal = {
    append: () => Promise.reject(new Error("never called")),
    consume: () => ({ stop: () => new Promise(() => {}) }),
  };
  const leave = slot.keep(hanging);
  slot.consume(options("hanging"), () => {});
  await leave();
  slot.keep(journal("next", []));
});
