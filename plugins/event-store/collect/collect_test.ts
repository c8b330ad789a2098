import { DatabaseSync } from "node:sqlite";
import { expect } from "expect";
import { collectedEvents, publishTo, untilCollected } from "../../../tests/support/collected_events.ts";
import { startNatsServer } from "../../../tests/support/nats_server.ts";
import { createDatabase } from "../../../tests/support/postgres.ts";
import { relayedEvents } from "../../../tests/support/relayed_events.ts";
import { startTestKernel, type TestKernel } from "../../../tests/support/test_kernel.ts";
import { testWith, testWithNats } from "../../../tests/support/test_with.ts";
import { waitFor } from "../../../tests/support/wait_for.ts";
import eventStore from "../plugin.ts";

const traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

interface HostOptions {
  readonly nodeId: string;
  readonly collect?: readonly string[];
  readonly dataDir?: string;
  readonly storageUrl?: string;
}

function startHost(busUrl: string, { collect = [], ...options }: HostOptions): Promise<TestKernel> {
  return startTestKernel({
    ...options,
    plugins: [eventStore],
    busUrl,
    settings: { "event-store": { collect } },
  });
}

async function publishMany(kernel: TestKernel, { from, to }: { from: number; to: number }): Promise<void> {
  for (let n = from; n < to; n++) await publishTo(kernel, { subject: "demo.counted", payload: { n } });
}

const numbers = (events: readonly { payload: Readonly<Record<string, unknown>> }[]) =>
  events.map(({ payload }) => payload.n);
const upTo = (count: number) => Array.from({ length: count }, (_, index) => index);

async function takenIn(storageUrl?: string): Promise<void> {
  await using nats = await startNatsServer({});
  await using a = await startHost(nats.url, { nodeId: "host-a" });
  await publishTo(a, { subject: "demo.first", payload: { n: 0 } });
  await using hub = await startHost(nats.url, {
    nodeId: "the-hub",
    collect: ["hub.>"],
    ...(storageUrl === undefined ? {} : { storageUrl }),
  });
  await publishTo(hub, { subject: "demo.own", payload: {} });
  const answer = await a.fetch("/api/events", {
    method: "POST",
    headers: { "content-type": "application/json", traceparent },
    body: JSON.stringify({
      subject: "hub.global.demo.said",
      id: "order-1",
      project: "alpha",
      correlation_id: "c-1",
      causation_id: "cause-1",
      payload: { text: 'Grüße, \u2028 "quoted"', big: 1e21, nested: { list: [1, null, true] } },
    }),
  });
  expect(answer.status).toBe(201);
  await answer.body?.cancel();
  const collected = await untilCollected(hub, { origin: "host-a", count: 2 });
  const { seq: _, ...there } = collected[1]!;
  const [, { seq: __, ...here }] = await collectedEvents(a) as [unknown, typeof collected[0]];
  expect(there).toEqual(here);
  expect(there).toMatchObject({
    id: "order-1",
    subject: "hub.global.demo.said",
    origin: { node_id: "host-a", service: "api", user: "admin@host-a" },
    project: "alpha",
    correlation_id: "c-1",
    causation_id: "cause-1",
  });
  const all = await collectedEvents(hub);
  expect(all.map(({ seq }) => seq)).toEqual([1, 2, 3]);
  // What was collected is not sent on, and its own events the hub does not take in again.
  await waitFor(async () => (await relayedEvents(nats.url)).length >= 3, { what: "the relays" });
  await publishTo(a, { subject: "demo.last", payload: { n: 9 } });
  await untilCollected(hub, { origin: "host-a", count: 3 });
  expect(await relayedEvents(nats.url)).toHaveLength(4);
  expect(await collectedEvents(hub)).toHaveLength(4);
}

testWithNats(
  "another host's events are taken in once, as they were, in a place of this log",
  () => takenIn(),
);

testWith({
  needs: ["nats", "postgres"],
  name: "another host's events are taken in on PostgreSQL too",
  run: async () => {
    await using database = await createDatabase();
    await takenIn(database.url);
  },
});

testWithNats("two hosts' events with the same ids are different events", async () => {
  await using nats = await startNatsServer({});
  await using hub = await startHost(nats.url, { nodeId: "the-hub", collect: ["hub.>"] });
  await using a = await startHost(nats.url, { nodeId: "host-a" });
  await using b = await startHost(nats.url, { nodeId: "host-b" });
  for (const [n, host] of [a, b, hub].entries()) {
    for (let order = 0; order < 20; order++) {
      await publishTo(host, { subject: "demo.ordered", id: `order-${order}`, payload: { n } });
    }
  }
  for (const [n, origin] of ["host-a", "host-b", "the-hub"].entries()) {
    const events = await untilCollected(hub, { origin, count: 20 });
    expect(events.map(({ id }) => id)).toEqual(upTo(20).map((order) => `order-${order}`));
    expect(new Set(numbers(events))).toEqual(new Set([n]));
  }
});

testWithNats("patterns may overlap and change: nothing is lost, nothing comes twice", async () => {
  await using nats = await startNatsServer({});
  await using a = await startHost(nats.url, { nodeId: "host-a" });
  const dataDir = await Deno.makeTempDir();
  const kinds = ["x", "y", "z"];
  let published = 0;
  const publishAll = async () => {
    for (let n = published; n < published + 20; n++) {
      for (const kind of kinds) await publishTo(a, { subject: `demo.${kind}`, payload: { n, kind } });
    }
    published += 20;
  };
  const expectOnly = async (collect: readonly string[], expected: Readonly<Record<string, number>>) => {
    await using hub = await startHost(nats.url, { nodeId: "the-hub", collect, dataDir });
    const count = Object.values(expected).reduce((sum, each) => sum + each, 0);
    const events = await untilCollected(hub, { origin: "host-a", count });
    for (const kind of kinds) {
      expect(numbers(events.filter(({ payload }) => payload.kind === kind))).toEqual(upTo(expected[kind]!));
    }
  };
  await publishAll();
  await expectOnly(["hub.*.demo.x"], { x: 20, y: 0, z: 0 });
  await publishAll();
  await expectOnly(["hub.*.demo.x", "hub.host-a.>", "hub.*.demo.*"], { x: 40, y: 40, z: 40 });
  await publishAll();
  await expectOnly(["hub.*.demo.*", "hub.*.demo.y"], { x: 60, y: 60, z: 60 });
  await expectOnly([], { x: 60, y: 60, z: 60 });
  await publishAll();
  await expectOnly(["hub.host-a.demo.x"], { x: 80, y: 60, z: 60 });
  await expectOnly(["hub.>"], { x: 80, y: 80, z: 80 });
  await Deno.remove(dataDir, { recursive: true });
});

testWithNats("a hub whose database was put back to a backup takes in again what that lacks", async () => {
  await using nats = await startNatsServer({});
  await using a = await startHost(nats.url, { nodeId: "host-a" });
  const dataDir = await Deno.makeTempDir();
  const hubOptions = { nodeId: "the-hub", collect: ["hub.>"], dataDir };
  const stored = async (count: number) => {
    await using hub = await startHost(nats.url, hubOptions);
    await publishTo(hub, { subject: "demo.own", payload: {} });
    return numbers(await untilCollected(hub, { origin: "host-a", count }));
  };
  await publishMany(a, { from: 0, to: 30 });
  expect(await stored(30)).toEqual(upTo(30));
  const backup = await Deno.readFile(`${dataDir}/commandcenter.db`);
  await publishMany(a, { from: 30, to: 70 });
  expect(await stored(70)).toEqual(upTo(70));
  for (const suffix of ["-wal", "-shm"]) {
    await Deno.remove(`${dataDir}/commandcenter.db${suffix}`).catch(() => {}); // gone after a clean stop
  }
  await Deno.writeFile(`${dataDir}/commandcenter.db`, backup);
  await publishMany(a, { from: 70, to: 80 });
  expect(await stored(80)).toEqual(upTo(80));
  await Deno.remove(dataDir, { recursive: true });

  // Without any backup: what it had said itself is not other hosts' to tell.
  await using fresh = await startHost(nats.url, { nodeId: "the-hub", collect: ["hub.>"] });
  await untilCollected(fresh, { origin: "host-a", count: 80 });
  expect(await collectedEvents(fresh, "the-hub")).toEqual([]);
});

testWithNats(
  "a hub whose position is put back while it runs begins there again, and nothing comes twice",
  async () => {
    await using nats = await startNatsServer({});
    await using a = await startHost(nats.url, { nodeId: "host-a" });
    await using hub = await startHost(nats.url, { nodeId: "the-hub", collect: ["hub.>"] });
    await publishMany(a, { from: 0, to: 10 });
    await untilCollected(hub, { origin: "host-a", count: 10 });
    const database = new DatabaseSync(`${hub.dataDir}/commandcenter.db`);
    database.exec(`
      delete from event_store_event where seq > 3;
      update event_store_head set seq = 3, events = 3, hash = (select hash from event_store_event where seq = 3);
      update event_store_collect set seq = 3;
    `);
    database.close();
    await publishMany(a, { from: 10, to: 20 });
    expect(numbers(await untilCollected(hub, { origin: "host-a", count: 20 }))).toEqual(upTo(20));
  },
);

testWithNats("a stream that comes back empty is taken in anew, and nothing comes twice", async () => {
  await using nats = await startNatsServer({});
  await using a = await startHost(nats.url, { nodeId: "host-a" });
  await using hub = await startHost(nats.url, { nodeId: "the-hub", collect: ["hub.>"] });
  await publishMany(a, { from: 0, to: 50 });
  await untilCollected(hub, { origin: "host-a", count: 50 });
  await nats.stop();
  await publishMany(a, { from: 50, to: 60 });
  await nats.restart({ emptyStore: true });
  await publishMany(a, { from: 60, to: 70 });
  await waitFor(async () => (await relayedEvents(nats.url)).length === 70, { what: "all events sent again" });
  await publishTo(a, { subject: "demo.counted", payload: { n: 70 } });
  expect(numbers(await untilCollected(hub, { origin: "host-a", count: 71 }))).toEqual(upTo(71));
});

Deno.test("on a bus in memory collect does nothing, and says so", async () => {
  await using kernel = await startHost("memory:", { nodeId: "alone", collect: ["hub.>"] });
  await publishTo(kernel, { subject: "demo.own", payload: {} });
  const state = await (await kernel.fetch("/api/events/collect")).json();
  expect(state).toEqual({ patterns: [], refused: 0 });
  const { status, checks } = await (await kernel.fetch("/health")).json();
  expect(status).toBe("degraded");
  expect(checks.find((check: { name: string }) => check.name === "collect").message).toContain("bus.url");
});
