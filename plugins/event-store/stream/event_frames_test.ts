import { expect } from "expect";
import fc from "fast-check";
import { batchFrames, eventFrame } from "./event_frames.ts";
import type { EventRow } from "../tables.ts";

const row = (seq: number, characters: number) =>
  ({
    seq,
    id: `${seq}`,
    traceparent: null,
    attributes: null,
    payload: JSON.stringify({ text: "x".repeat(characters) }),
  }) as EventRow;

Deno.test("batches hold every event once, in order, and stay small unless one event is large", () => {
  fc.assert(fc.property(fc.array(fc.integer({ min: 0, max: 20_000 }), { maxLength: 20 }), (sizes) => {
    const rows = sizes.map((size, index) => row(index, size));
    const texts = batchFrames(rows);
    const events = texts.flatMap((text) => JSON.parse(text));
    expect(events).toEqual(rows.map((each) => JSON.parse(eventFrame(each))));
    for (const text of texts) expect(text.length < 34_000 || JSON.parse(text).length === 1).toBe(true);
  }));
});

Deno.test("two readers with other filters do not get each other's batch", () => {
  const rows = [1, 2, 3, 4].map((seq) => row(seq, 1));
  const seqs = (chosen: EventRow[]) =>
    batchFrames(chosen).flatMap((text) => JSON.parse(text)).map(({ seq }) => seq);
  expect(seqs([rows[0]!, rows[1]!, rows[3]!])).toEqual([1, 2, 4]);
  expect(seqs([rows[0]!, rows[2]!, rows[3]!])).toEqual([1, 3, 4]);
  expect(seqs([])).toEqual([]);
});
