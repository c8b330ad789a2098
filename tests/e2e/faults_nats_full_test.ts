import { jetstreamManager, type StreamConfig } from "@nats-io/jetstream";
import { connect } from "@nats-io/transport-node";
import { expect } from "expect";
import { join } from "node:path";
import { collectedEvents, publishTo } from "../support/collected_events.ts";
import { type NatsServer, startNatsServer } from "../support/nats_server.ts";
import { relayedEvents } from "../support/relayed_events.ts";
import { type Agent, startAgent } from "../support/run_agent.ts";
import { testWithNats } from "../support/test_with.ts";
import { waitFor } from "../support/wait_for.ts";

const text = "x".repeat(20_000);

async function changeStream(url: string, change: Partial<StreamConfig>): Promise<void> {
  const connection = await connect({ servers: url });
  await (await jetstreamManager(connection)).streams.update("COMMANDCENTER_EVENTS", change);
  await connection.close();
}

/** A server that keeps its events in that folder, within that limit. */
function startServer(
  storeDir: string,
  { limit, port }: { limit: string; port?: number },
): Promise<NatsServer> {
  return startNatsServer({
    jetstream: false,
    config: `jetstream { store_dir: ${JSON.stringify(storeDir)}, max_file_store: ${limit} }`,
    ...(port === undefined ? {} : { port }),
  });
}

async function relayOf(agent: Agent) {
  const { relay } = await (await agent.fetch("/api/events/stats")).json();
  return relay as { seq: number; lag: number; parked: number; problem: string | null };
}

async function untilRelayed(agent: Agent, seq: number): Promise<void> {
  await waitFor(async () => (await relayOf(agent)).seq === seq, {
    what: `the relay to reach ${seq}`,
    timeoutMs: 60_000,
  });
  expect(await relayOf(agent)).toMatchObject({ lag: 0, parked: 0, problem: null });
}

async function publishAll(agent: Agent, { from, to }: { from: number; to: number }): Promise<void> {
  for (let n = from; n <= to; n++) await publishTo(agent, { subject: "demo.filled", payload: { n, text } });
}

/** Publishes until JetStream is full, and beyond; resolves when the relay says why it waits. */
async function overfill(agent: Agent, server: NatsServer): Promise<string> {
  await publishAll(agent, { from: 2, to: 61 });
  const waiting = await waitFor(async () => {
    const relay = await relayOf(agent);
    return relay.problem !== null && relay;
  }, { what: "the relay to say that it waits" });
  expect(waiting).toMatchObject({ parked: 0 });
  expect(waiting.lag).toBeGreaterThan(30);
  const held = await relayedEvents(server.url);
  expect(held.map(({ seq }) => seq)).toEqual(held.map((_, index) => index + 1));
  const { checks } = await (await agent.fetch("/health")).json();
  const check = checks.find(({ name }: { name: string }) => name === "relay");
  expect(check).toMatchObject({ status: "down", message: expect.stringContaining(waiting.problem!) });
  expect(await collectedEvents(agent)).toHaveLength(61);
  return waiting.problem!;
}

async function expectAll(server: NatsServer, count: number): Promise<void> {
  const sequences = (await relayedEvents(server.url)).map(({ seq }) => seq);
  expect(sequences).toEqual(Array.from({ length: count }, (_, index) => index + 1));
}

function startAgentOn(server: NatsServer): Promise<Agent> {
  return startAgent({ config: { bus: { url: server.url }, plugins: { "event-store": {} } } });
}

testWithNats(
  "a stream that is full and takes nothing new is waited for, and then gets all, in order",
  async () => {
    await using server = await startNatsServer();
    await using agent = await startAgentOn(server);
    await publishAll(agent, { from: 1, to: 1 });
    await untilRelayed(agent, 1);
    await changeStream(server.url, { discard: "new", max_bytes: 400_000 });
    expect(await overfill(agent, server)).toContain("maximum bytes exceeded");
    await changeStream(server.url, { discard: "old", max_bytes: -1 });
    await untilRelayed(agent, 61);
    await publishAll(agent, { from: 62, to: 62 });
    await untilRelayed(agent, 62);
    await expectAll(server, 62);
  },
);

testWithNats(
  "a NATS server whose storage is used up is waited for, and then gets all, in order",
  async () => {
    await using folder = await temporaryFolder();
    const storeDir = join(folder.path, "store");
    await using small = await startServer(storeDir, { limit: "500KB" });
    await using agent = await startAgentOn(small);
    await publishAll(agent, { from: 1, to: 1 });
    await untilRelayed(agent, 1);
    expect(await overfill(agent, small)).toContain("resource");
    await small.stop();
    await using large = await startServer(storeDir, { limit: "1GB", port: small.port });
    await untilRelayed(agent, 61);
    await publishAll(agent, { from: 62, to: 62 });
    await untilRelayed(agent, 62);
    await expectAll(large, 62);
  },
);

async function temporaryFolder(): Promise<AsyncDisposable & { readonly path: string }> {
  const path = await Deno.makeTempDir({ prefix: "commandcenter-store-" });
  return { path, [Symbol.asyncDispose]: () => Deno.remove(path, { recursive: true }) };
}
