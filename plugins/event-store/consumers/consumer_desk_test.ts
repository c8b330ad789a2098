import { expect } from "expect";
import { sql } from "kysely";
import type { Storage } from "../../../core/storage/storage.ts";
import { testOnEveryStorage } from "../../../tests/support/every_storage.ts";
import { type Got, lettersOf, TestConsumers } from "../../../tests/support/test_consumers.ts";
import { unackedFloors } from "./consumer_store.ts";

const seqs = (got: readonly Got[]) => got.map(({ seq }) => seq);
const tokens = (got: readonly Got[]) => got.map(({ token }) => token);
const range = (from: number, to: number) => Array.from({ length: to - from + 1 }, (_, index) => from + index);

testOnEveryStorage(
  "each event goes to one worker, and is done with when it is acknowledged",
  async (storage) => {
    const consumers = await TestConsumers.open(storage);
    const row = await consumers.put("work");
    await consumers.publish(10);
    const [first, second] = [await consumers.take("work", 4), await consumers.take("work", 4)];
    expect([seqs(first), seqs(second)]).toEqual([range(1, 4), range(5, 8)]);
    expect(await consumers.desk.acknowledge(row, tokens(first))).toEqual({ done: 4, stale: [] });
    expect(await consumers.desk.acknowledge(row, tokens(first))).toEqual({ done: 0, stale: tokens(first) });
    expect(await consumers.take("work")).toMatchObject([{ seq: 9, attempt: 1 }, { seq: 10, attempt: 1 }]);
    expect(await consumers.take("work")).toEqual([]);
    consumers.clock.pass(30_000);
    expect(await consumers.take("work")).toMatchObject(range(5, 10).map((seq) => ({ seq, attempt: 2 })));
    const late = await consumers.desk.acknowledge(row, tokens(second));
    expect(late).toEqual({ done: 0, stale: tokens(second) });
  },
);

testOnEveryStorage(
  "an answer counts as long as nobody else has the event; more time can be had",
  async (storage) => {
    const consumers = await TestConsumers.open(storage);
    const row = await consumers.put("work", { ack_wait: "1s" });
    await consumers.publish(2);
    const got = await consumers.take("work");
    consumers.clock.pass(900);
    expect(await consumers.desk.extend(row, [got[0]!.token], 1000)).toEqual({ done: 1, stale: [] });
    consumers.clock.pass(500);
    expect(await consumers.take("work")).toMatchObject([{ seq: 2, attempt: 2 }]);
    consumers.clock.pass(5000);
    const answers = await consumers.desk.acknowledge(row, tokens(got));
    expect(answers).toEqual({ done: 1, stale: [got[1]!.token] });
  },
);

testOnEveryStorage(
  "given back, an event comes again after the delay, then dies with its errors",
  async (storage) => {
    const consumers = await TestConsumers.open(storage);
    const row = await consumers.put("work", { max_deliveries: 3, ack_wait: "1s" });
    await consumers.publish(2);
    const [poison, other] = await consumers.take("work");
    await consumers.desk.acknowledge(row, [other!.token]);
    await consumers.desk.giveBack(row, [poison!.token], { delayMs: 5000, error: "no luck" });
    expect(await consumers.desk.acknowledge(row, [poison!.token])).toMatchObject({ done: 0 });
    consumers.clock.pass(4999);
    expect(await consumers.take("work")).toEqual([]);
    consumers.clock.pass(1);
    expect(await consumers.take("work")).toMatchObject([{ seq: 1, attempt: 2 }]);
    consumers.clock.pass(1000);
    const [last] = await consumers.take("work");
    expect(last).toMatchObject({ seq: 1, attempt: 3 });
    const answer = await consumers.desk.giveBack(row, [last!.token], {
      delayMs: 0,
      error: `no luck ${"x".repeat(600)}`,
    });
    expect(answer).toEqual({ done: 1, stale: [], dead: 1 });
    expect(await consumers.take("work")).toEqual([]);
    expect(await lettersOf(consumers, "work")).toEqual([{
      seq: 1,
      reason: "max_deliveries",
      deliveries: 3,
      errors: ["no luck", "not acknowledged in time", `no luck ${"x".repeat(492)}…`],
    }]);
  },
);

testOnEveryStorage(
  "an event that ends its worker each time dies too, and can be delivered anew",
  async (storage) => {
    const consumers = await TestConsumers.open(storage);
    const row = await consumers.put("work", { max_deliveries: 2, ack_wait: "1s" });
    await consumers.publish(3);
    for (let attempt = 1; attempt <= 2; attempt++) {
      expect(await consumers.take("work")).toMatchObject(range(1, 3).map((seq) => ({ seq, attempt })));
      consumers.clock.pass(1000);
    }
    expect(await consumers.take("work")).toEqual([]);
    const dead = await lettersOf(consumers, "work");
    expect(dead).toMatchObject(range(1, 3).map((seq) => ({ seq, deliveries: 2 })));
    expect(dead[0]!.errors).toEqual(["not acknowledged in time", "not acknowledged in time"]);

    expect(await consumers.letters.replay(row, [2])).toEqual({ replayed: 1, remaining: 2 });
    expect(await consumers.take("work")).toMatchObject([{ seq: 2, attempt: 1 }]);
    expect(await consumers.letters.replay(row, undefined)).toEqual({ replayed: 2, remaining: 0 });
    expect(seqs(await consumers.take("work"))).toEqual([1, 3]);
    expect(await lettersOf(consumers, "work")).toEqual([]);
  },
);

testOnEveryStorage("no more than max_in_flight is out or waits to go out again", async (storage) => {
  const consumers = await TestConsumers.open(storage);
  const row = await consumers.put("work", { max_in_flight: 3 });
  await consumers.publish(10);
  const got = await consumers.take("work");
  expect(seqs(got)).toEqual([1, 2, 3]);
  expect(await consumers.take("work")).toEqual([]);
  await consumers.desk.acknowledge(row, [got[1]!.token]);
  await consumers.desk.giveBack(row, [got[0]!.token], { delayMs: 1000 });
  expect(seqs(await consumers.take("work"))).toEqual([4]);
  consumers.clock.pass(1000);
  expect(seqs(await consumers.take("work"))).toEqual([1]);
  expect(await consumers.take("work")).toEqual([]);
});

testOnEveryStorage("a paused consumer hands out nothing, and takes answers", async (storage) => {
  const consumers = await TestConsumers.open(storage);
  const row = await consumers.put("work");
  await consumers.publish(2);
  const got = await consumers.take("work", 1);
  await consumers.book.pause(row, true);
  expect(await consumers.take("work")).toEqual([]);
  expect(await consumers.desk.acknowledge(row, tokens(got))).toMatchObject({ done: 1 });
  await consumers.book.pause(row, false);
  expect(seqs(await consumers.take("work"))).toEqual([2]);
});

testOnEveryStorage("a damaged event becomes a dead letter and holds nobody up", async (storage) => {
  const consumers = await TestConsumers.open(storage);
  const row = await consumers.put("work");
  await consumers.publish(6);
  await damage(storage, 2);
  expect(seqs(await consumers.take("work"))).toEqual([1]);
  const got = await consumers.take("work");
  expect(seqs(got)).toEqual([3, 4, 5, 6]);
  await damage(storage, 4);
  await storage.tables().executeQuery(
    sql`delete from event_store_event where seq = 5`.compile(storage.tables()),
  );
  await consumers.desk.giveBack(row, tokens(got), { delayMs: 0, error: "later" });
  expect(seqs(await consumers.take("work"))).toEqual([3, 6]);
  expect(await lettersOf(consumers, "work")).toEqual([
    { seq: 2, reason: "damaged", deliveries: 0, errors: ["the event is damaged on disk"] },
    { seq: 4, reason: "damaged", deliveries: 1, errors: ["later", "the event is damaged on disk"] },
    {
      seq: 5,
      reason: "removed",
      deliveries: 1,
      errors: ["later", "retention removed the event before it was acknowledged"],
    },
  ]);
});

async function damage(storage: Storage, seq: number): Promise<void> {
  const db = storage.tables();
  await db.executeQuery(sql`update event_store_event set payload = '{"a":1}' where seq = ${seq}`.compile(db));
}

testOnEveryStorage(
  "what a consumer still needs begins with its lowest event that is not done with",
  async (storage) => {
    const consumers = await TestConsumers.open(storage);
    const row = await consumers.put("work", { max_deliveries: 1 });
    const floor = async () => (await unackedFloors(storage.tables()))[0]!.seq;
    await consumers.publish(5);
    expect(await floor()).toBe(1);
    const got = await consumers.take("work", 3);
    await consumers.desk.acknowledge(row, [got[0]!.token]);
    expect(await floor()).toBe(2);
    await consumers.desk.giveBack(row, [got[1]!.token], { delayMs: 0 });
    await consumers.desk.acknowledge(row, [got[2]!.token]);
    expect(await floor()).toBe(2); // a dead letter, which may be wanted again
    await consumers.letters.remove(row);
    expect(await floor()).toBe(4);
  },
);

testOnEveryStorage("a clock that is set back an hour holds no event up for an hour", async (storage) => {
  const consumers = await TestConsumers.open(storage);
  await consumers.put("work", { ack_wait: "1s" });
  await consumers.publish(1);
  expect(await consumers.take("work")).toHaveLength(1);
  consumers.clock.pass(-3_600_000);
  expect(await consumers.take("work")).toMatchObject([{ seq: 1, attempt: 2 }]);
  expect(await consumers.take("work")).toEqual([]);
});

testOnEveryStorage(
  "dead letters of a consumer that was just deleted do not come back to life",
  async (storage) => {
    const consumers = await TestConsumers.open(storage);
    const row = await consumers.put("work");
    await consumers.book.remove(row);
    await expect(consumers.letters.replay(row, undefined)).rejects.toMatchObject({
      code: "consumer_not_found",
    });
  },
);
