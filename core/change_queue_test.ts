import { expect } from "expect";
import { ChangeQueue } from "./change_queue.ts";

Deno.test("changes have their turns, one that fails does not hold up the next, and the end is the end", async () => {
  const queue = new ChangeQueue();
  const notes: string[] = [];
  const first = Promise.withResolvers<void>();
  const changes = [
    queue.add(async () => {
      await first.promise;
      notes.push("first");
      throw new Error("no luck");
    }),
    queue.add(() => Promise.resolve(notes.push("second"))),
  ];
  const outcomes = Promise.allSettled(changes);
  first.resolve();
  expect((await outcomes).map(({ status }) => status)).toEqual(["rejected", "fulfilled"]);
  expect(notes).toEqual(["first", "second"]);

  const last = Promise.withResolvers<void>();
  const underWay = queue.add(() => last.promise);
  await Promise.resolve();
  const late = queue.add(() => Promise.resolve(notes.push("late"))).catch((error) => error);
  const ended = queue.end().then(() => notes.push("ended"));
  last.resolve();
  await Promise.all([underWay, ended]);
  expect(await late).toMatchObject({ status: 503, code: "stopping" });
  expect(notes).toEqual(["first", "second", "ended"]);
});
