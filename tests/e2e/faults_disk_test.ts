import { expect } from "expect";
import { join } from "node:path";
import { untilCheck } from "../support/agent_state.ts";
import { startPostgres } from "../support/postgres.ts";
import { type Publishers, publishEvents } from "../support/publish_events.ts";
import { type Agent, startAgent } from "../support/run_agent.ts";
import { mountSmallDisk, type SmallDisk } from "../support/small_disk.ts";
import { expectKept, storedEvents } from "../support/stored_events.ts";
import { testWith } from "../support/test_with.ts";
import { waitFor } from "../support/wait_for.ts";

const full = "507 storage_full";
const megabyte = 1024 * 1024;

/** Fills the disk and resolves once every publisher has been refused for that reason. */
async function fillUp(
  disk: SmallDisk,
  { publishers, agent }: { publishers: Publishers; agent: Agent },
): Promise<void> {
  await publishers.progress(200);
  await disk.fill();
  const before = publishers.refusals.get(full) ?? 0;
  await waitFor(async () => {
    await disk.fill(); // what a checkpoint gave back is taken too
    return (publishers.refusals.get(full) ?? 0) > before + 50;
  }, { what: "the disk to be full", timeoutMs: 30_000 });
  await untilCheck(agent, "storage", "down");
}

async function post(
  agent: Agent,
  path: string,
  body: unknown,
): Promise<{ status: number; code: unknown; detail: unknown }> {
  const headers = { "content-type": "application/json" };
  const answer = await agent.fetch(path, { method: "POST", headers, body: JSON.stringify(body) });
  const { code, detail } = await answer.json();
  return { status: answer.status, code, detail };
}

/** Every way to write says so; whatever reads goes on. */
async function expectReadOnly(agent: Agent): Promise<void> {
  const detail = expect.stringContaining("The disk of the agent is full: nothing was stored");
  const large = { text: "x".repeat(60_000) };
  const event = { subject: "fault.batch", payload: large };
  expect(await post(agent, "/api/events", event)).toEqual({ status: 507, code: "storage_full", detail });
  expect(await post(agent, "/api/events/batch", Array(20).fill(event)))
    .toEqual({ status: 507, code: "storage_full", detail });
  // A small write may still find a place in the log of writes; the next ones do not.
  await waitFor(async () => {
    const answer = await post(agent, "/api/keys", { name: "later", scopes: ["read"] });
    if (answer.status !== 201) expect(answer).toEqual({ status: 507, code: "storage_full", detail });
    return answer.status === 507;
  }, { what: "a key to be refused" });
  for (const path of ["/api/events?limit=10", "/api/events/stats", "/api/keys", "/health/live"]) {
    const answer = await agent.fetch(path);
    await answer.body?.cancel();
    expect({ path, status: answer.status }).toEqual({ path, status: 200 });
  }
  const health = await (await agent.fetch("/health")).json();
  expect(health.checks).toContainEqual(
    expect.objectContaining({ name: "storage", status: "down", message: detail }),
  );
}

/** Nothing acknowledged is lost, and nothing is there that nobody was told of: no half of a batch either. */
async function expectExact(agent: Agent, publishers: Publishers): Promise<void> {
  const events = await storedEvents(agent);
  expectKept(events, publishers.acknowledged);
  expect(events.length).toBe(publishers.acknowledged.length);
}

testWith({
  needs: ["mount"],
  name: "SQLite on a full disk: 507, nothing lost, and it goes on by itself when space returns",
  run: async () => {
    await using disk = await mountSmallDisk({ sizeBytes: 24 * megabyte });
    await using agent = await startAgent({
      config: { plugins: { "event-store": {} } },
      dataDir: join(disk.path, "data"),
    });
    await using publishers = publishEvents(agent);
    for (let round = 0; round < 3; round++) {
      await fillUp(disk, { publishers, agent });
      await expectReadOnly(agent);
      await disk.clear();
      await untilCheck(agent, "storage", "up");
      await publishers.progress(200);
    }
    await publishers.finish();
    expect([...publishers.refusals.keys()]).toEqual([full]);
    await expectExact(agent, publishers);
    expect((await post(agent, "/api/keys", { name: "later", scopes: ["read"] })).status).toBe(201);
    expect(await agent.stop()).toBe(0);
  },
});

testWith({
  needs: ["mount"],
  name:
    "SQLite: kill -9 on a full disk, a start on it, and when space has returned everything acknowledged is there",
  run: async () => {
    await using disk = await mountSmallDisk({ sizeBytes: 24 * megabyte });
    await using agent = await startAgent({
      config: { plugins: { "event-store": {} } },
      dataDir: join(disk.path, "data"),
    });
    await using publishers = publishEvents(agent);
    for (let round = 0; round < 3; round++) {
      await fillUp(disk, { publishers, agent });
      await agent.kill();
      await disk.fill();
      await agent.restart(); // reads and is refused as before
      await untilCheck(agent, "storage", "down");
      await disk.clear();
      await untilCheck(agent, "storage", "up");
      await publishers.progress(100);
    }
    await publishers.finish();
    expect([...publishers.refusals.keys()].toSorted()).toEqual([full, "connection"]);
    await expectExact(agent, publishers);
  },
});

testWith({
  needs: ["mount", "postgres-programs"],
  name:
    "PostgreSQL on a full disk, killed there: 507, and everything acknowledged is there when space has returned",
  run: async () => {
    await using disk = await mountSmallDisk({ sizeBytes: 256 * megabyte });
    await using server = await startPostgres({ parent: disk.path });
    await using agent = await startAgent({
      config: { storage: { url: server.url }, plugins: { "event-store": {} } },
    });
    await using publishers = publishEvents(agent);
    await fillUp(disk, { publishers, agent });
    await expectReadOnly(agent);
    await disk.clear();
    await untilCheck(agent, "storage", "up");
    await fillUp(disk, { publishers, agent });
    await server.kill();
    await disk.clear();
    await server.restart();
    await untilCheck(agent, "storage", "up");
    await publishers.progress(200);
    await publishers.finish();
    expect([...publishers.refusals.keys()].toSorted()).toEqual(["503 storage_unavailable", full]);
    await expectExact(agent, publishers);
  },
});
