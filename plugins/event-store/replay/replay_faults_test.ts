import { jetstream, jetstreamManager } from "@nats-io/jetstream";
import { connect } from "@nats-io/transport-node";
import { expect } from "expect";
import { createDatabase } from "../../../tests/support/postgres.ts";
import { eventDraft } from "../../../tests/support/event_draft.ts";
import { withStorage } from "../../../tests/support/every_storage.ts";
import { type NatsServer, startNatsServer } from "../../../tests/support/nats_server.ts";
import { startAgent } from "../../../tests/support/run_agent.ts";
import { seedLog } from "../../../tests/support/seed_log.ts";
import {
  type LogPlace,
  type SeededKernel,
  startSeededKernel,
  testOnEveryLog,
} from "../../../tests/support/seeded_kernel.ts";
import type { TestKernel } from "../../../tests/support/test_kernel.ts";
import { testWith, testWithNats, testWithPostgres } from "../../../tests/support/test_with.ts";
import { waitFor } from "../../../tests/support/wait_for.ts";
import type { EventStoreTables } from "../tables.ts";

type Fetching = Pick<TestKernel, "fetch">;

/** Events a few milliseconds apart. */
function drafts(count: number, gapMs = 1) {
  return Array.from({ length: count }, (_, n) =>
    eventDraft("hub.a.demo.made", {
      time: new Date(Date.parse("2026-01-01T00:00:00Z") + n * gapMs).toISOString(),
      data: { n },
    }));
}

async function begin(agent: Fetching, body: object): Promise<string> {
  const answer = await agent.fetch("/api/events/replay", {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(body),
  });
  const { id } = await answer.json();
  expect(answer.status).toBe(202);
  return id;
}

async function replayOf(agent: Fetching, id: string) {
  return await (await agent.fetch(`/api/events/replay/${id}`)).json();
}

async function ended(agent: Fetching, id: string) {
  return await waitFor(async () => {
    const replay = await replayOf(agent, id);
    return replay.state !== "running" && replay;
  }, { what: "the replay to end", timeoutMs: 30_000 });
}

function upTo(count: number): number[] {
  return Array.from({ length: count }, (_, n) => n + 1);
}

/** Fails unless each of 1, 2, 3 … is there, once or several times; names what is not. */
function expectAll(sequences: readonly number[], count: number): void {
  const there = new Set(sequences);
  expect(upTo(count).filter((seq) => !there.has(seq)).join(" ")).toBe("");
  expect(there.size).toBe(count);
}

function sequences({ messages }: Pick<SeededKernel, "messages">): number[] {
  return messages.map((message) => Number(message.headers["ce-sequence"]));
}

/** Everything that NATS hands to a subscriber of its own, connected again after each outage. */
interface Collector extends AsyncDisposable {
  readonly subjects: readonly string[];
  readonly sequences: readonly number[];
}

async function collect({ url }: NatsServer, pattern: string): Promise<Collector> {
  const subjects: string[] = [];
  const sequences: number[] = [];
  const connection = await connect({ servers: url, maxReconnectAttempts: -1, reconnectTimeWait: 20 });
  connection.subscribe(pattern, {
    callback: (_error, { subject, headers }) => {
      subjects.push(subject);
      sequences.push(Number(headers?.get("ce-sequence")));
    },
  });
  await connection.flush();
  return { subjects, sequences, [Symbol.asyncDispose]: () => connection.close() };
}

/** Has the server keep what it takes, for a subscriber that is connected again only after the agent is. */
async function keepOnNats({ url }: NatsServer): Promise<void> {
  const connection = await connect({ servers: url });
  await (await jetstreamManager(connection)).streams.add({ name: "SEEN", subjects: ["replay.>"] });
  await connection.close();
}

async function keptOnNats({ url }: NatsServer): Promise<number[]> {
  const connection = await connect({ servers: url });
  const kept: number[] = [];
  const consumer = await jetstream(connection).consumers.get("SEEN");
  const { num_pending: count } = await consumer.info();
  if (count > 0) {
    for await (const message of await consumer.consume()) {
      kept.push(Number(message.headers?.get("ce-sequence")));
      if (message.info.pending === 0) break;
    }
  }
  await connection.close();
  return kept;
}

/** Registers a test with a NATS server and a log, once for each storage. */
function testOnNats(name: string, run: (place: LogPlace, nats: NatsServer) => Promise<void>): void {
  const inFolder = async (storageUrl: string) => {
    const dataDir = await Deno.makeTempDir();
    try {
      await using nats = await startNatsServer();
      await run({ storageUrl, dataDir }, nats);
    } finally {
      await Deno.remove(dataDir, { recursive: true });
    }
  };
  testWith({ needs: ["nats"], name: `${name} (sqlite)`, run: () => inFolder("sqlite:") });
  testWith({
    needs: ["nats", "postgres"],
    name: `${name} (postgres)`,
    run: async () => {
      await using database = await createDatabase();
      await inFolder(database.url);
    },
  });
}

testOnNats(
  "killed in the middle, a replay goes on after the next start and leaves nothing out",
  async (place, nats) => {
    await seedLog(place, drafts(2500));
    await using seen = await collect(nats, "replay.>");
    await using agent = await startAgent({
      dataDir: place.dataDir,
      config: {
        storage: { url: place.storageUrl },
        bus: { url: nats.url },
        plugins: { "event-store": {} },
        projects: [],
      },
    });
    const id = await begin(agent, { speed: 1 });
    await waitFor(async () => (await replayOf(agent, id)).replayed > 600, { what: "part of the replay" });
    await agent.kill();
    const before = seen.sequences.length;
    expect(before).toBeLessThan(2500);
    await agent.restart();
    expect(await ended(agent, id)).toMatchObject({ state: "completed", replayed: 2500, position: 2500 });
    await waitFor(() => seen.sequences.at(-1) === 2500, { what: "the last event" });
    expectAll(seen.sequences, 2500);
    // What was sent since the position was last written down came twice, and no more than that.
    const again = seen.sequences[before]!;
    expect(again).toBeLessThanOrEqual(before + 1);
    expect(again).toBeGreaterThan(before - 1000);
    expect(seen.subjects.every((subject) => subject.startsWith(`replay.${id}.hub.a.`))).toBe(true);
  },
);

testOnNats("while NATS is away a replay waits, and then goes on without a hole", async (place, nats) => {
  await keepOnNats(nats);
  await using seen = await collect(nats, "replay.>");
  await using kernel = await startSeededKernel(place, { drafts: drafts(2500), busUrl: nats.url });
  const id = await begin(kernel, { speed: 1 });
  await waitFor(async () => (await replayOf(kernel, id)).replayed > 300, { what: "part of the replay" });
  await nats.stop();
  const waiting = await waitFor(async () => {
    const replay = await replayOf(kernel, id);
    return replay.error && replay;
  }, { what: "the replay to say that it waits" });
  expect(waiting).toMatchObject({ state: "running" });
  expect(waiting.replayed).toBeLessThan(2500);
  await nats.restart();
  expect(await ended(kernel, id)).toMatchObject({ state: "completed", replayed: 2500, error: null });
  await waitFor(async () => (await keptOnNats(nats)).at(-1) === 2500, { what: "the last event" });
  expectAll([...seen.sequences, ...await keptOnNats(nats)], 2500);
});

testWithNats("what a NATS server that stands still has not confirmed is sent again", async () => {
  const dataDir = await Deno.makeTempDir();
  await using nats = await startNatsServer();
  await using seen = await collect(nats, "replay.>");
  await using kernel = await startSeededKernel({ storageUrl: "sqlite:", dataDir }, {
    drafts: drafts(3000),
    busUrl: nats.url,
  });
  const id = await begin(kernel, { speed: 1 });
  await waitFor(async () => (await replayOf(kernel, id)).replayed > 100, { what: "part of the replay" });
  await nats.freeze();
  await waitFor(async () => (await replayOf(kernel, id)).error, { what: "it to wait", timeoutMs: 20_000 });
  nats.thaw();
  expect(await ended(kernel, id)).toMatchObject({ state: "completed", replayed: 3000, error: null });
  await waitFor(() => seen.sequences.at(-1) === 3000, { what: "the last event" });
  expectAll(seen.sequences, 3000);
  await Deno.remove(dataDir, { recursive: true });
});

testWithNats("on NATS too the original subjects see nothing of a replay", async () => {
  const dataDir = await Deno.makeTempDir();
  await using nats = await startNatsServer();
  await using replayed = await collect(nats, "replay.>");
  await using original = await collect(nats, "hub.*.*.>");
  await using kernel = await startSeededKernel({ storageUrl: "sqlite:", dataDir }, {
    drafts: drafts(20_000),
    busUrl: nats.url,
  });
  await ended(kernel, await begin(kernel, {}));
  await waitFor(() => replayed.sequences.length >= 20_000, { what: "the last event" });
  expect(replayed.sequences).toEqual(upTo(20_000));
  expect(original.subjects).toEqual([]);
  await Deno.remove(dataDir, { recursive: true });
});

testOnEveryLog("an agent that is stopped in order goes on exactly where it was", async (place) => {
  const seen: number[] = [];
  let id: string;
  {
    await using kernel = await startSeededKernel(place, { drafts: drafts(1500) });
    id = await begin(kernel, { speed: 1 });
    await waitFor(() => kernel.messages.length > 100, { what: "part of the replay" });
    await kernel.stop();
    seen.push(...sequences(kernel));
    expect(seen.length).toBeLessThan(1500);
  }
  await using kernel = await startSeededKernel(place);
  expect(await ended(kernel, id)).toMatchObject({ state: "completed", replayed: 1500 });
  expect([...seen, ...sequences(kernel)]).toEqual(upTo(1500));
});

testOnEveryLog("a damaged event ends a replay, which says where", async (place) => {
  await seedLog(place, drafts(20));
  await withStorage(place.storageUrl, {
    dataDir: place.dataDir,
    run: async (storage) => {
      await storage.tables<EventStoreTables>().updateTable("event_store_event").where("seq", "=", 12)
        .set({ payload: '{"n":99}' }).execute();
    },
  });
  await using kernel = await startSeededKernel(place);
  const failed = await ended(kernel, await begin(kernel, {}));
  expect(failed).toMatchObject({ state: "failed", position: 11, replayed: 11 });
  expect(failed.error).toContain("after_seq=12");
  expect(sequences(kernel)).toEqual(upTo(11));
  const rest = await ended(kernel, await begin(kernel, { after_seq: 12 }));
  expect(rest).toMatchObject({ state: "completed", replayed: 8 });
});

testWithPostgres("of several agents on one PostgreSQL one runs a replay, and any can cancel it", async () => {
  await using database = await createDatabase();
  const [one, two] = [await Deno.makeTempDir(), await Deno.makeTempDir()];
  const settings = { "event-store": { replay: { max_running: 1 } } };
  await using first = await startSeededKernel({ storageUrl: database.url, dataDir: one }, {
    drafts: drafts(2, 3_600_000),
    nodeId: "one",
    settings,
  });
  const id = await begin(first, { speed: 1 });
  await waitFor(() => first.messages.length === 1, { what: "the first event" });
  await using second = await startSeededKernel({ storageUrl: database.url, dataDir: two }, { nodeId: "two" });
  expect(await replayOf(second, id)).toMatchObject({ state: "running", node_id: "one" });
  const began = performance.now();
  const cancelled = await second.fetch(`/api/events/replay/${id}`, { method: "DELETE" });
  expect(await cancelled.json()).toMatchObject({ state: "cancelled" });
  const next = await waitFor(() => begin(first, { until_seq: 1 }), {
    what: "room for another replay on the first agent",
  });
  expect(performance.now() - began).toBeLessThan(1500);
  expect(await ended(second, next)).toMatchObject({ state: "completed", node_id: "one" });
  expect(second.messages).toEqual([]);
  for (const dataDir of [one, two]) await Deno.remove(dataDir, { recursive: true });
});
