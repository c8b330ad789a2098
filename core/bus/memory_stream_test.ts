import { expect } from "expect";
import { MemoryStream } from "./memory_stream.ts";

const event = (sizeBytes = 1) => ({ subject: "hub.a.b.c", data: new Uint8Array(), headers: {}, sizeBytes });

/** A clock that a test moves by hand. */
function stoppedClock() {
  let ms = 0;
  return { now: () => ms, monotonic: () => ms, advance: (byMs: number) => void (ms += byMs) };
}

Deno.test("the stream in memory keeps no more events than it may", () => {
  const stream = new MemoryStream({ clock: stoppedClock(), duplicateWindowMs: 1000, maxEvents: 3 });
  for (const id of ["1", "2", "3", "4", "5"]) stream.append(id, event());
  expect([stream.firstSeq, stream.nextSeq]).toEqual([3, 6]);
  expect(stream.at(2)).toBe(undefined);
  expect(stream.at(3)).toBeDefined();
});

Deno.test("the stream in memory keeps no more bytes than it may", () => {
  const stream = new MemoryStream({ clock: stoppedClock(), duplicateWindowMs: 1000, maxBytes: 100 });
  for (const id of ["1", "2", "3"]) stream.append(id, event(40));
  expect([stream.firstSeq, stream.nextSeq]).toEqual([2, 4]);
  stream.append("4", event(101));
  expect([stream.firstSeq, stream.nextSeq]).toEqual([5, 5]);
});

Deno.test("an id counts as a duplicate for as long as the window lasts", () => {
  const clock = stoppedClock();
  const stream = new MemoryStream({ clock, duplicateWindowMs: 1000 });
  expect(stream.append("1", event())).toEqual({ duplicate: false });
  clock.advance(999);
  expect(stream.append("1", event())).toEqual({ duplicate: true });
  clock.advance(1);
  expect(stream.append("1", event())).toEqual({ duplicate: false });
});
