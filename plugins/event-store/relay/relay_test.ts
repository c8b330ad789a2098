import { jetstreamManager } from "@nats-io/jetstream";
import { connect } from "@nats-io/transport-node";
import { expect } from "expect";
import { z } from "zod";
import type { BusMessage } from "../../../core/bus/bus.ts";
import { defineEvent } from "../../../core/events.ts";
import { definePlugin, type Host, type Plugin } from "../../../core/plugin.ts";
import { startNatsServer } from "../../../tests/support/nats_server.ts";
import { startTestKernel, type TestKernel } from "../../../tests/support/test_kernel.ts";
import { testWithNats } from "../../../tests/support/test_with.ts";
import { waitFor } from "../../../tests/support/wait_for.ts";
import eventStore from "../plugin.ts";

const counted = defineEvent("demo.counted", z.strictObject({ n: z.int(), text: z.string().optional() }));

/** A plugin that lends its host to the test, and notes what it sees live on the bus. */
function observer(seen: BusMessage[] = []): { plugin: Plugin; host: () => Host } {
  let host!: Host;
  const plugin = definePlugin({
    name: "observer",
    summary: "Lends its host to a test",
    config: z.strictObject({}),
    prefixes: [],
    start: (lent: Host) => {
      host = lent;
      lent.run("listen", async (signal) => {
        lent.bus.subscribe("hub.*.*.>", (message) => void seen.push(message));
        await new Promise((resolve) => signal.addEventListener("abort", resolve));
      });
    },
  });
  return { plugin, host: () => host };
}

async function relayedTo(kernel: TestKernel): Promise<number> {
  const stats = await (await kernel.fetch("/api/events/stats")).json();
  return stats.relay.lag === 0 ? stats.relay.seq : -1;
}

/** Everything JetStream holds, in its order: the sequence in our log, and the event id. */
async function storedOnNats(url: string): Promise<{ seq: number; id: string; n: number }[]> {
  const connection = await connect({ servers: url });
  try {
    const manager = await jetstreamManager(connection);
    const { state } = await manager.streams.info("COMMANDCENTER_EVENTS");
    const stored: { seq: number; id: string; n: number }[] = [];
    for (let position = state.first_seq; position <= state.last_seq; position++) {
      const message = await manager.streams.getMessage("COMMANDCENTER_EVENTS", { seq: position });
      if (!message) continue;
      const { n } = message.json<{ n: number }>();
      stored.push({ seq: Number(message.header.get("ce-sequence")), id: message.header.get("ce-id"), n });
    }
    return stored;
  } finally {
    await connection.close();
  }
}

Deno.test("what is committed reaches a memory bus in order, also what a transaction brought", async () => {
  const seen: BusMessage[] = [];
  const { plugin, host } = observer(seen);
  await using kernel = await startTestKernel({ plugins: [eventStore, plugin], nodeId: "here" });
  await Promise.all(Array.from({ length: 300 }, (_, n) => host().publish(counted, { n })));
  await host().db.transaction().execute(async (trx) => {
    await host().publish(counted, { n: 300 }, { trx });
    expect(seen.some((message) => JSON.parse(new TextDecoder().decode(message.data)).n === 300)).toBe(false);
  });
  await waitFor(() => seen.length === 301, { what: "all events on the bus" });
  expect(seen.map((message) => Number(message.headers["ce-sequence"]))).toEqual(
    Array.from({ length: 301 }, (_, index) => index + 1),
  );
  expect(seen[0]).toMatchObject({
    subject: "hub.here.demo.counted",
    headers: { "ce-specversion": "1.0", "ce-type": "demo.counted", "ce-source": "/hub/here/observer" },
  });
  expect(await relayedTo(kernel)).toBe(301);
});

Deno.test("a restart relays what was not yet relayed, and nothing else", async () => {
  const dataDir = await Deno.makeTempDir();
  const first: BusMessage[] = [];
  const second: BusMessage[] = [];
  {
    const { plugin, host } = observer(first);
    await using kernel = await startTestKernel({ plugins: [eventStore, plugin], dataDir });
    await host().publish(counted, { n: 1 });
    await waitFor(() => first.length === 1, { what: "the first event" });
    expect(await relayedTo(kernel)).toBe(1);
  }
  {
    const { plugin, host } = observer(second);
    await using kernel = await startTestKernel({ plugins: [eventStore, plugin], dataDir });
    await host().publish(counted, { n: 2 });
    await waitFor(() => second.length > 0, { what: "the second event" });
    expect(await relayedTo(kernel)).toBe(2);
  }
  expect(second.map((message) => message.headers["ce-sequence"])).toEqual(["2"]);
  await Deno.remove(dataDir, { recursive: true });
});

Deno.test("on a memory bus a restart brings back what a durable handler had not finished, and only that", async () => {
  const dataDir = await Deno.makeTempDir();
  const handled: number[] = [];
  let stuck: (() => void) | undefined;
  const worker = definePlugin({
    name: "worker",
    summary: "Handles events, unless it is stuck",
    config: z.strictObject({}),
    prefixes: [],
    start: (host: Host) => {
      host.subscribe(counted, async ({ n }) => {
        if (n === 3 && stuck === undefined) await new Promise<void>((resolve) => stuck = resolve);
        handled.push(n);
      }, { durable: "work" });
    },
  });
  {
    const { plugin, host } = observer();
    await using kernel = await startTestKernel({ plugins: [eventStore, plugin, worker], dataDir });
    for (let n = 1; n <= 6; n++) await host().publish(counted, { n });
    await waitFor(() => stuck !== undefined, { what: "the handler to be stuck" });
    await waitFor(async () => await relayedTo(kernel) === 6, { what: "the relay" });
  }
  expect(handled).toEqual([1, 2]);
  stuck!(); // a handler that was left behind ends late
  handled.length = 0;
  await using kernel = await startTestKernel({ plugins: [eventStore, worker], dataDir });
  await waitFor(() => handled.length >= 4, { what: "the unfinished events" });
  expect(new Set(handled)).toEqual(new Set([3, 4, 5, 6]));
  await kernel.stop();
  await Deno.remove(dataDir, { recursive: true });
});

testWithNats(
  "an event that the bus can never take is parked and told, and those behind it go on",
  async () => {
    await using nats = await startNatsServer({ config: "max_payload: 65536" });
    const seen: BusMessage[] = [];
    const { plugin, host } = observer(seen);
    await using kernel = await startTestKernel({ plugins: [eventStore, plugin], busUrl: nats.url });
    await host().publish(counted, { n: 1, text: "x".repeat(100_000) });
    await host().publish(counted, { n: 2 });
    await waitFor(async () => await relayedTo(kernel) === 2, { what: "the relay to go on" });
    expect((await storedOnNats(nats.url)).map(({ n }) => n)).toEqual([2]);
    expect((await (await kernel.fetch("/api/events/stats")).json()).relay.parked).toBe(1);
    const { status, checks } = await (await kernel.fetch("/health")).json();
    expect(status).toBe("degraded");
    expect(checks.find((check: { name: string }) => check.name === "relay").message).toContain("too large");
  },
);

testWithNats("NATS away, back, and back with an empty store: all arrives, in order, once", async () => {
  await using nats = await startNatsServer({});
  const { plugin, host } = observer();
  await using kernel = await startTestKernel({ plugins: [eventStore, plugin], busUrl: nats.url });
  const publish = (from: number, to: number) =>
    Promise.all(
      Array.from({ length: to - from }, (_, index) => host().publish(counted, { n: from + index })),
    );
  const relayed = (seq: number) =>
    waitFor(async () => await relayedTo(kernel) === seq, {
      what: `the relay to reach ${seq}`,
      timeoutMs: 30_000,
    });

  await publish(0, 200);
  await relayed(200);
  await nats.stop();
  await publish(200, 700);
  const health = await waitFor(async () => {
    const { checks } = await (await kernel.fetch("/health")).json();
    const relay = checks.find((check: { name: string }) => check.name === "relay");
    return relay.status === "down" && relay;
  }, { what: "the relay to be reported down" });
  expect(health.message).toMatch(/^\d+ events wait: /);
  await nats.restart();
  await relayed(700);
  const inOrder = (count: number) => Array.from({ length: count }, (_, index) => index + 1);
  expect((await storedOnNats(nats.url)).map(({ seq }) => seq)).toEqual(inOrder(700));

  await nats.stop();
  await publish(700, 800);
  await nats.restart({ emptyStore: true });
  await relayed(800);
  const stored = await storedOnNats(nats.url);
  expect(stored.map(({ seq }) => seq)).toEqual(inOrder(800));
  expect(new Set(stored.map(({ id }) => id)).size).toBe(800);
});

testWithNats("what a NATS server lost of what it had acknowledged is sent again, and no more", async () => {
  await using nats = await startNatsServer({});
  const { plugin, host } = observer();
  await using kernel = await startTestKernel({ plugins: [eventStore, plugin], busUrl: nats.url });
  for (let n = 1; n <= 20; n++) await host().publish(counted, { n });
  await waitFor(async () => await relayedTo(kernel) === 20, { what: "the relay" });
  {
    // As after a power loss, or a backup that was restored: the last messages are gone, the stream is the same.
    const connection = await connect({ servers: nats.url });
    const manager = await jetstreamManager(connection);
    for (let seq = 16; seq <= 20; seq++) await manager.streams.deleteMessage("COMMANDCENTER_EVENTS", seq);
    await connection.close();
  }
  await nats.restart();
  const all = await waitFor(async () => {
    const stored = await storedOnNats(nats.url);
    return stored.length >= 20 && stored;
  }, { what: "the lost events", timeoutMs: 20_000 });
  expect(all.map(({ n }) => n)).toEqual(Array.from({ length: 20 }, (_, index) => index + 1));
  await waitFor(async () => await relayedTo(kernel) === 20, { what: "the relay" });
});

testWithNats(
  "an event of one host is handled on another, with its correlation id and its cause",
  async () => {
    await using nats = await startNatsServer({});
    const a = observer();
    const handled: { n: number; correlationId: string; causationId: string | null; node: string }[] = [];
    const echoed = defineEvent("demo.echoed", z.strictObject({ n: z.int() }));
    const echo = definePlugin({
      name: "echo",
      summary: "Answers events with events",
      config: z.strictObject({}),
      prefixes: [],
      start: (host: Host) => {
        host.subscribe(counted, async ({ n }) => void await host.publish(echoed, { n }), {
          durable: "echo",
          from: "any-host",
        });
      },
    });
    await using _b = await startTestKernel({
      plugins: [eventStore, echo],
      busUrl: nats.url,
      nodeId: "host-b",
    });
    await using _a = await startTestKernel({
      plugins: [eventStore, a.plugin],
      busUrl: nats.url,
      nodeId: "host-a",
    });
    a.host().subscribe(echoed, ({ n }, { correlationId, causationId, origin }) => {
      handled.push({ n, correlationId, causationId, node: origin.nodeId });
    }, { from: "any-host" });
    const published = await a.host().publish(counted, { n: 7 });
    await waitFor(() => handled.length === 1, { what: "the echo from the other host" });
    expect(handled).toEqual([
      { n: 7, correlationId: published.correlationId, causationId: published.id, node: "host-b" },
    ]);
  },
);
