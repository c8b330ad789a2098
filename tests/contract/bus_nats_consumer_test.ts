import { expect } from "expect";
import { startNatsServer } from "../support/nats_server.ts";
import { testWithNats } from "../support/test_with.ts";
import { waitFor } from "../support/wait_for.ts";
import { bytes, codeOf, text } from "./bus_case.ts";
import { manage, openNats, streamName } from "./bus_nats_opener.ts";

const subject = "hub.hub-1.a.b";

testWithNats(
  "NATS: a durable consumer with other settings is used, named in a warning, and never altered",
  async () => {
    await using server = await startNatsServer();
    await using opened = await openNats({ url: server.url });
    await manage(server.url, (manager) =>
      manager.consumers.add(streamName, {
        durable_name: "reader",
        ack_policy: "explicit",
        ack_wait: 7e9,
        filter_subject: "hub.*.a.*",
      }));
    const seen: string[] = [];
    opened.bus.consume(
      { durable: "reader", pattern: "hub.*.a.b" },
      (message) => void seen.push(text(message)),
    );
    await opened.bus.append("hub.hub-1.a.c", bytes("not asked for"), { id: "1" });
    await opened.bus.append(subject, bytes("asked for"), { id: "2" });
    await waitFor(() => seen.length > 0, { what: "the event" });
    expect(seen).toEqual(["asked for"]);
    const warnings = opened.lines.filter((line) => line.startsWith("warn"));
    expect(warnings).toEqual([expect.stringContaining(`Consumer "reader" exists with other settings`)]);
    const { config } = await manage(server.url, (manager) => manager.consumers.info(streamName, "reader"));
    expect(config).toMatchObject({ ack_wait: 7e9, filter_subject: "hub.*.a.*" });
  },
);

testWithNats("NATS: a stream or consumer that is removed under us is made again", async () => {
  await using server = await startNatsServer();
  await using opened = await openNats({ url: server.url });
  const { bus } = opened;
  const seen: string[] = [];
  bus.consume(
    { durable: "reader", pattern: "hub.>", start: "first" },
    (message) => void seen.push(text(message)),
  );
  const demand = async (id: string) => {
    await waitFor(async () => await codeOf(() => bus.append(subject, bytes(id), { id })) === undefined, {
      what: `"${id}" to be stored`,
    });
    await waitFor(() => seen.includes(id), { what: `"${id}" to be handled` });
  };
  await demand("one");
  await manage(server.url, (manager) => manager.consumers.delete(streamName, "reader"));
  await demand("two");
  expect(seen).toEqual(["one", "two"]);
  await manage(server.url, (manager) => manager.streams.delete(streamName));
  await demand("three");
  expect(seen).toEqual(["one", "two", "three"]);
  await opened.status("well", ({ problem }) => problem === undefined);
});

/** Makes a consumer with a server that loses patience soon. */
function makeImpatient(url: string, name: string) {
  const config = {
    durable_name: name,
    ack_policy: "explicit",
    ack_wait: 300e6,
    filter_subject: "hub.>",
  } as const;
  return manage(url, (manager) => manager.consumers.add(streamName, config));
}

/** Takes the events as a host that dies of them: never acknowledges, returns at the delivery with that number. */
async function takeAndForget(url: string, { durable, deliveries }: { durable: string; deliveries: number }) {
  await manage(url, async (manager) => {
    const consumer = await manager.jetstream().consumers.get(streamName, durable);
    for await (const { info } of await consumer.fetch({ max_messages: deliveries })) {
      if (info.deliveryCount === deliveries) return;
    }
  });
}

testWithNats("NATS: a handler that takes longer than the server's patience is waited for", async () => {
  await using server = await startNatsServer();
  await using opened = await openNats({ url: server.url });
  const { bus } = opened;
  for (const durable of ["reader", "clock"]) await makeImpatient(server.url, durable);
  const seen: string[] = [];
  const released = Promise.withResolvers<void>();
  bus.consume({ durable: "reader", pattern: "hub.>" }, async (message) => {
    await released.promise;
    seen.push(`${message.attempt} ${text(message)}`);
  });
  await bus.append(subject, bytes("one"), { id: "one" });
  // By the server's own clock it has lost its patience twice.
  await takeAndForget(server.url, { durable: "clock", deliveries: 3 });
  await bus.append(subject, bytes("two"), { id: "two" });
  released.resolve();
  await waitFor(() => seen.length >= 2, { what: "both events" });
  expect(seen).toEqual(["1 one", "1 two"]);
});

testWithNats("NATS: what a lost connection had in hand is delivered again, one at a time", async () => {
  await using server = await startNatsServer();
  await using opened = await openNats({ url: server.url });
  const { bus } = opened;
  await makeImpatient(server.url, "reader");
  const seen: string[] = [];
  const released = Promise.withResolvers<void>();
  let atOnce = 0;
  bus.consume({ durable: "reader", pattern: "hub.>" }, async (message) => {
    expect(++atOnce).toBe(1);
    seen.push(`${message.attempt} ${text(message)}`);
    if (seen.length === 1) await released.promise;
    atOnce--;
  });
  await bus.append(subject, bytes("one"), { id: "one" });
  await waitFor(() => seen.length === 1, { what: "the first delivery" });
  await server.restart();
  await opened.status("connected again", ({ connected, reconnects }) => connected && reconnects === 1);
  expect(seen).toEqual(["1 one"]);
  released.resolve();
  await waitFor(() => seen.length === 2, { what: "the second delivery" });
  expect(seen).toEqual(["1 one", "2 one"]);
  expect(opened.handlerErrors).toEqual([]);
});

testWithNats("NATS: a message that was lost in every delivery is given up without another try", async () => {
  await using server = await startNatsServer();
  await using opened = await openNats({ url: server.url });
  const { bus } = opened;
  await makeImpatient(server.url, "reader");
  await bus.append(subject, bytes("poison"), { id: "poison" });
  await takeAndForget(server.url, { durable: "reader", deliveries: 2 });
  const seen: string[] = [];
  const givenUp: string[] = [];
  bus.consume({
    durable: "reader",
    pattern: "hub.>",
    maxDeliveries: 2,
    onGivenUp: (message, error) => void givenUp.push(`${text(message)}: ${(error as Error).message}`),
  }, (message) => void seen.push(text(message)));
  await bus.append(subject, bytes("next"), { id: "next" });
  await waitFor(() => seen.length > 0 && givenUp.length > 0, { what: "both messages" });
  expect(seen).toEqual(["next"]);
  expect(givenUp).toEqual(["poison: no answer from its handler in 2 deliveries"]);
  expect(opened.lines.filter((line) => line.startsWith("error"))).toEqual([
    expect.stringContaining(`Consumer "reader" gave up "${subject}" after 2 deliveries`),
  ]);
});

testWithNats(
  "NATS: fetching begins with one message, so that a fatal one takes no others with it",
  async () => {
    await using server = await startNatsServer();
    await using opened = await openNats({ url: server.url });
    const { bus } = opened;
    for (const id of ["fatal", "2", "3", "4", "5"]) await bus.append(subject, bytes(id), { id });
    const started = Promise.withResolvers<void>();
    const released = Promise.withResolvers<void>();
    bus.consume({ durable: "reader", pattern: "hub.>", start: "first" }, () => {
      started.resolve();
      return released.promise; // until then as good as a process that is gone
    });
    await started.promise;
    const info = await manage(server.url, (manager) => manager.consumers.info(streamName, "reader"));
    expect([info.num_ack_pending, info.num_pending]).toEqual([1, 4]);
    released.resolve();
  },
);
