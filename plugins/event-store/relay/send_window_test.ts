import { expect } from "expect";
import fc from "fast-check";
import { SendWindow } from "./send_window.ts";

Deno.test("what is reached is the last event before which everything has arrived", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.record({ seq: fc.integer({ min: 1, max: 3 }), ours: fc.boolean() }), { maxLength: 40 }),
      fc.integer({ min: 1, max: 8 }),
      fc.infiniteStream(fc.nat()),
      fc.option(fc.nat(39), { nil: undefined }),
      async (steps, size, picks, failing) => {
        const window = new SendWindow({ after: 0, size });
        const onWay = new Map<number, PromiseWithResolvers<void>>();
        const done = new Set<number>();
        const all: number[] = [];
        const expected = () => {
          const open = all.findIndex((each) => !done.has(each));
          return (open === -1 ? all.at(-1) : all[open - 1]) ?? 0;
        };
        const arrive = async () => {
          const sequences = [...onWay.keys()];
          const seq = sequences[picks.next().value! % sequences.length]!;
          const fails = seq === all[failing ?? -1];
          if (fails) onWay.get(seq)!.reject(new Error(`no ${seq}`));
          else onWay.get(seq)!.resolve();
          onWay.delete(seq);
          if (!fails) done.add(seq);
          await new Promise((resolve) => setTimeout(resolve, 0));
          expect(window.reached).toBe(expected());
        };
        let last = 0;
        for (const { seq: step, ours } of steps) {
          while (window.isFull && window.failure === undefined) {
            const room = window.room();
            await arrive();
            await Promise.race([room, Promise.resolve()]);
          }
          if (window.failure) break;
          last += step;
          all.push(last);
          if (ours) {
            const way = Promise.withResolvers<void>();
            onWay.set(last, way);
            window.send(last, { characters: 1, arrival: way.promise });
            expect(onWay.size).toBeLessThanOrEqual(size);
          } else {
            done.add(last);
            window.skip(last);
          }
          expect(window.reached).toBe(expected());
        }
        while (onWay.size > 0) await arrive();
        await window.settled();
        expect(window.reached).toBe(expected());
      },
    ),
    { numRuns: 60 },
  );
});

Deno.test("few large events fill the window as many small ones do", async () => {
  const window = new SendWindow({ after: 0, size: 256 });
  const arrivals = Array.from({ length: 8 }, () => Promise.withResolvers<void>());
  for (const [index, { promise }] of arrivals.entries()) {
    expect(window.isFull).toBe(false);
    window.send(index + 1, { characters: 1024 * 1024, arrival: promise });
  }
  expect(window.isFull).toBe(true);
  arrivals[0]!.resolve();
  await window.room();
  expect([window.isFull, window.reached]).toEqual([false, 1]);
  for (const { resolve } of arrivals) resolve();
  await window.settled();
  expect(window.reached).toBe(8);
});
