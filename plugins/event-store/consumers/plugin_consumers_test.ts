import { expect } from "expect";
import type { Delivery } from "../../../core/bus/bus.ts";
import { testOnEveryStorage } from "../../../tests/support/every_storage.ts";
import { lettersOf, TestConsumers } from "../../../tests/support/test_consumers.ts";
import { waitFor } from "../../../tests/support/wait_for.ts";

const options = { durable: "hands", pattern: "hub.*.work.done", owner: "worker", start: "first" } as const;
const name = "plugin.hands";

testOnEveryStorage("what a handler gave up can be replayed from outside", async (storage) => {
  const consumers = await TestConsumers.open(storage);
  const leave = consumers.desk.open();
  const seen: string[] = [];
  let failing = true;
  const handle = ({ headers, attempt }: Delivery) => {
    seen.push(`${headers["ce-sequence"]} ${attempt}`);
    if (failing && headers["ce-sequence"] === "2") throw new Error("not now");
  };
  const subscription = consumers.handlers.consume({ ...options, maxDeliveries: 1 }, handle);
  await consumers.publish(3);
  await waitFor(async () => (await lettersOf(consumers, name)).length === 1, { what: "the dead letter" });
  expect(await lettersOf(consumers, name)).toEqual([
    { seq: 2, reason: "max_deliveries", deliveries: 1, errors: ["not now"] },
  ]);
  failing = false;
  const row = await consumers.store.get(name);
  expect(await consumers.letters.replay(row!, undefined)).toEqual({ replayed: 1, remaining: 0 });
  await waitFor(() => seen.length === 4, { what: "the replayed event" });
  expect(seen).toEqual(["1 1", "2 1", "3 1", "2 1"]);
  await subscription.stop();
  leave();
});

testOnEveryStorage(
  "a damaged event and those of other nodes and arrivals are none for a handler",
  async (storage) => {
    const consumers = await TestConsumers.open(storage);
    const leave = consumers.desk.open();
    await consumers.publish(4);
    const change = (seq: number, values: { payload?: string; node_id?: string }) =>
      storage.tables<{ event_store_event: { seq: number; payload: string; node_id: string } }>()
        .updateTable("event_store_event").set(values).where("seq", "=", seq).execute();
    await change(2, { payload: '{"a":1}' });
    await change(3, { node_id: "b" }); // damaged as well, but not to be looked at
    const seen: (string | undefined)[] = [];
    const subscription = consumers.handlers.consume(
      options,
      ({ headers }) => void seen.push(headers["ce-sequence"]),
    );
    await waitFor(() => seen.length === 2, { what: "the intact events" });
    expect(seen).toEqual(["1", "4"]);
    expect(await lettersOf(consumers, name)).toMatchObject([{ seq: 2, reason: "damaged" }]);
    await subscription.stop();
    expect(await consumers.store.get(name)).toMatchObject({ position: 4, orderly: 1 });
    leave();
  },
);

testOnEveryStorage(
  "a handler whose consumer is deleted under its hands goes on with a new one",
  async (storage) => {
    const consumers = await TestConsumers.open(storage);
    const leave = consumers.desk.open();
    const seen: (string | undefined)[] = [];
    const subscription = consumers.handlers.consume(
      options,
      ({ headers }) => void seen.push(headers["ce-sequence"]),
    );
    await consumers.publish(2);
    await waitFor(async () => (await consumers.store.get(name))?.position === 2, {
      what: "the first events",
    });
    await consumers.book.remove((await consumers.store.get(name))!);
    await consumers.publish(1);
    await waitFor(() => consumers.store.get(name), { what: "the new consumer" });
    await consumers.publish(1);
    await waitFor(() => seen.length === 4, { what: "the events behind" });
    expect(seen).toEqual(["1", "2", "3", "4"]);
    await subscription.stop();
    leave();
  },
);
