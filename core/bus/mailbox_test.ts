import { expect } from "expect";
import { Mailbox } from "./mailbox.ts";

const letter = (sizeBytes: number) => ({ subject: "hint.a", data: new Uint8Array(sizeBytes) });
const mebibyte = 1024 * 1024;

function fail(error: unknown): never {
  throw error;
}

Deno.test("a mailbox is bounded in bytes too", async () => {
  const released = Promise.withResolvers<void>();
  const mailbox = new Mailbox(() => released.promise, { onHandlerError: fail });
  const taken = Array.from({ length: 100 }, () => mailbox.push(letter(mebibyte))).filter(Boolean);
  expect(taken).toHaveLength(64);
  expect(mailbox.dropped).toBe(36);
  released.resolve();
  await mailbox.drain();
});

Deno.test("a mailbox tells of each burst once, with the number dropped so far", async () => {
  const dropped: number[] = [];
  const mailbox = new Mailbox(() => {}, {
    maxPending: 4,
    onDropped: (count) => void dropped.push(count),
    onHandlerError: fail,
  });
  for (let index = 0; index < 10; index++) mailbox.push(letter(1));
  await Promise.resolve();
  for (let index = 0; index < 10; index++) mailbox.push(letter(1));
  expect(dropped).toEqual([1, 7]);
  await mailbox.drain();
  expect(mailbox.dropped).toBe(12);
});

Deno.test("draining handles what waits, stopping only what is in hand, and neither takes more", async () => {
  const handled = { drained: 0, stopped: 0 };
  const drained = new Mailbox(async () => await Promise.resolve(handled.drained++), { onHandlerError: fail });
  const stopped = new Mailbox(async () => await Promise.resolve(handled.stopped++), { onHandlerError: fail });
  for (let index = 0; index < 5; index++) {
    drained.push(letter(1));
    stopped.push(letter(1));
  }
  await Promise.resolve(); // both have begun
  await Promise.all([drained.drain(), stopped.stop()]);
  expect(handled).toEqual({ drained: 5, stopped: 1 });
  expect([drained.push(letter(1)), stopped.push(letter(1))]).toEqual([false, false]);
});

Deno.test("a listener of drops that throws is reported like a handler", () => {
  const errors: unknown[] = [];
  const mailbox = new Mailbox(() => {}, {
    maxPending: 0,
    onDropped: () => fail(new Error("no")),
    onHandlerError: (error, subject) => void errors.push([(error as Error).message, subject]),
  });
  mailbox.push(letter(1));
  expect(errors).toEqual([["no", "hint.a"]]);
});
