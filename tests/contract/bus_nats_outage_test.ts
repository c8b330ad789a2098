import { expect } from "expect";
import type { NatsServer } from "../support/nats_server.ts";
import { startNatsServer } from "../support/nats_server.ts";
import { freePort } from "../support/free_port.ts";
import { testWithNats } from "../support/test_with.ts";
import { waitFor, within } from "../support/wait_for.ts";
import { startMuteProxy } from "./bus_mute_proxy.ts";
import { manage, type OpenedNats, openNats, streamName } from "./bus_nats_opener.ts";
import { bytes, codeOf, text } from "./bus_case.ts";

const subject = "hub.hub-1.a.b";
const append = ({ bus }: OpenedNats, id: string) => bus.append(subject, bytes(id), { id });

/** One of everything that has to go on after an outage. */
function useEverything({ bus }: OpenedNats) {
  const seen = { live: [] as string[], durable: [] as string[] };
  bus.subscribe("hint.*", (message) => void seen.live.push(text(message)));
  bus.consume({ durable: "reader", pattern: "hub.>" }, (message) => void seen.durable.push(text(message)));
  bus.respond("rpc.a", (message) => Promise.resolve({ data: message.data }));
  return seen;
}

/** Uses everything once, in whatever state the outage left it; fails when something does not come back. */
async function demandEverything(opened: OpenedNats, seen: ReturnType<typeof useEverything>, id: string) {
  const { bus } = opened;
  await opened.status("connected", ({ connected, problem }) => connected && problem === undefined);
  await bus.probe(5000);
  bus.publish("hint.a", bytes(id));
  await append(opened, id);
  expect(text(await bus.request("rpc.a", bytes(id), { timeoutMs: 5000 }))).toBe(id);
  await waitFor(() => seen.live.includes(id) && seen.durable.includes(id), { what: `"${id}" to arrive` });
}

const outages: [what: string, cause: (server: NatsServer) => Promise<void>][] = [
  ["a restart", (server) => server.restart()],
  ["a crash", async (server) => {
    await server.kill();
    await server.restart();
  }],
  ["a restart with an empty store", (server) => server.restart({ emptyStore: true })],
];
for (const [what, cause] of outages) {
  testWithNats(`NATS: ${what} interrupts, and then everything goes on`, async () => {
    await using server = await startNatsServer();
    await using opened = await openNats({ url: server.url });
    const seen = useEverything(opened);
    await demandEverything(opened, seen, "before");
    for (const round of [1, 2]) {
      await cause(server);
      await opened.status("connected again", ({ reconnects }) => reconnects === round);
      await demandEverything(opened, seen, `after ${round}`);
    }
    // At least once: a server that crashes may forget what was acknowledged to it.
    expect([...new Set(seen.durable)]).toEqual(["before", "after 1", "after 2"]);
    expect(opened.handlerErrors).toEqual([]);
  });
}

testWithNats("NATS: while the server is down, nothing is kept to be sent later", async () => {
  await using server = await startNatsServer();
  await using opened = await openNats({ url: server.url });
  const { bus } = opened;
  const seen = useEverything(opened);
  await demandEverything(opened, seen, "before");
  await server.stop();
  const { problem } = await opened.status("disconnected", ({ connected }) => !connected);
  expect(problem).toMatch(/NATS/);
  bus.publish("hint.a", bytes("lost"));
  const refusals = [
    () => append(opened, "lost"),
    () => bus.request("rpc.a", bytes("lost"), { timeoutMs: 60_000 }),
    () => bus.streamIdentity(),
    () => bus.probe(60_000),
  ];
  for (const refused of refusals) {
    expect(await within(codeOf(refused), { what: "the refusal", timeoutMs: 1000 })).toBe("unavailable");
  }
  await server.restart();
  await demandEverything(opened, seen, "after");
  expect([...seen.live, ...seen.durable]).not.toContain("lost");
});

testWithNats("NATS: what is under way when the connection breaks fails at once", async () => {
  await using server = await startNatsServer();
  await using opened = await openNats({ url: server.url });
  await server.freeze();
  const appending = ["1", "2", "3"].map((id) => codeOf(() => append(opened, id)));
  const asking = codeOf(() => opened.bus.request("rpc.a", bytes(""), { timeoutMs: 60_000 }));
  await server.kill();
  const codes = within(Promise.all([...appending, asking]), { what: "all to settle", timeoutMs: 4000 });
  expect(new Set(await codes)).toEqual(new Set(["unavailable"]));
});

testWithNats(
  "NATS: what was stored without our knowing is stored once when it is appended again",
  async () => {
    await using server = await startNatsServer();
    await using proxy = await startMuteProxy(server.port);
    await using opened = await openNats({ url: `nats://127.0.0.1:${proxy.port}` });
    const { bus } = opened;
    const ids = Array.from({ length: 300 }, (_, index) => String(index));
    const appendFrom = (first: number) => ids.slice(first).map((id) => append(opened, id));
    await Promise.all(ids.slice(0, 100).map((id) => append(opened, id)));
    proxy.mute();
    const codes = appendFrom(100).map((appending) => codeOf(() => appending));
    await waitFor(async () => {
      const { state } = await manage(server.url, (manager) => manager.streams.info(streamName));
      return state.messages === ids.length;
    }, { what: "all to be stored" });
    proxy.cut();
    expect(new Set(await Promise.all(codes))).toEqual(new Set(["unavailable"]));
    await opened.status("connected again", ({ connected, reconnects }) => connected && reconnects === 1);
    const again = await Promise.all(appendFrom(100));
    expect(again.every(({ duplicate }) => duplicate)).toBe(true);
    const seen: string[] = [];
    bus.consume(
      { durable: "reader", pattern: "hub.>", start: "first" },
      (message) => void seen.push(text(message)),
    );
    await append(opened, "last");
    await waitFor(() => seen.includes("last"), { what: "all events" });
    expect(seen).toEqual([...ids, "last"]);
  },
);

testWithNats("NATS: a server that is down at the start is connected to when it comes", async () => {
  const port = freePort();
  await using opened = await openNats({ url: `nats://127.0.0.1:${port}` });
  expect(opened.bus.status()).toMatchObject({ kind: "nats", connected: false, reconnects: 0 });
  expect(opened.bus.status().problem).toContain(`Cannot use "nats://127.0.0.1:${port}"`);
  const statuses: boolean[] = [];
  opened.bus.onStatus(({ connected }) => void statuses.push(connected));
  const seen = useEverything(opened);
  expect(await codeOf(() => append(opened, "lost"))).toBe("unavailable");
  await using _server = await startNatsServer({ port });
  await demandEverything(opened, seen, "one");
  expect(opened.bus.status().reconnects).toBe(0);
  expect(statuses.filter((connected) => connected)).toEqual([true]);
});

testWithNats(
  "NATS: an empty store is a new stream, and a known consumer gets it from its first event",
  async () => {
    await using server = await startNatsServer();
    await using first = await openNats({ url: server.url });
    const seen: string[] = [];
    first.bus.consume(
      { durable: "reader", pattern: "hub.>", start: "new" },
      (message) => void seen.push(text(message)),
    );
    await waitFor(async () => {
      await append(first, crypto.randomUUID());
      return seen.length > 0;
    }, { what: "the consumer" });
    const identity = await first.bus.streamIdentity();
    await server.restart();
    await first.status("connected again", ({ reconnects, connected }) => connected && reconnects === 1);
    expect(await first.bus.streamIdentity()).toBe(identity);

    await server.stop();
    await Deno.remove(server.storeDir, { recursive: true });
    await server.restart();
    // Another host is sooner: its events are in the new stream before the first one is connected again, or not.
    await using second = await openNats({ url: server.url });
    await append(second, "from another host");
    await waitFor(() => seen.includes("from another host"), { what: "the event from before we were back" });
    expect(await first.bus.streamIdentity()).not.toBe(identity);
    expect(await first.bus.streamIdentity()).toBe(await second.bus.streamIdentity());
  },
);

testWithNats("NATS: a frozen server times out, and nobody piles up data for it", async () => {
  await using server = await startNatsServer();
  await using opened = await openNats({ url: server.url });
  const { bus } = opened;
  const seen = useEverything(opened);
  await demandEverything(opened, seen, "before");
  await server.freeze();
  expect(await codeOf(() => bus.probe(100))).toBe("timeout");
  expect(await codeOf(() => bus.request("rpc.a", bytes(""), { timeoutMs: 100 }))).toBe("timeout");
  const large = new Uint8Array(512 * 1024);
  const appending = Array.from(
    { length: 200 },
    (_, id) => codeOf(() => bus.append(subject, large, { id: `large-${id}` })),
  );
  expect(await appending.at(-1)).toBe("unavailable");
  expect(await appending[0]).toBe("timeout");
  const { problem } = await opened.status("given up", ({ connected }) => !connected);
  expect(problem).toContain("stopped answering");
  server.thaw();
  await demandEverything(opened, seen, "after");
});

testWithNats("NATS: closing while the server is away or frozen does not hang", async () => {
  await using server = await startNatsServer();
  await using frozen = await openNats({ url: server.url });
  const seen = useEverything(frozen);
  await demandEverything(frozen, seen, "before");
  await server.freeze();
  await within(frozen.bus.close(), { what: "closing", timeoutMs: 6000 });
  server.thaw();
  await using away = await openNats({ url: server.url });
  await server.stop();
  await away.status("disconnected", ({ connected }) => !connected);
  await within(away.bus.close(), { what: "closing", timeoutMs: 2000 });
});
