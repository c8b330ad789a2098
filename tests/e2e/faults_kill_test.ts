import { expect } from "expect";
import { createDatabase } from "../support/postgres.ts";
import { publishEvents } from "../support/publish_events.ts";
import { startAgent } from "../support/run_agent.ts";
import { expectKept, storedEvents } from "../support/stored_events.ts";
import { testWithPostgres } from "../support/test_with.ts";

/** Kills the agent again and again, each time at another moment of what 16 publishers have it do. */
async function killUnderLoad({ rounds, storageUrl }: { rounds: number; storageUrl: string }): Promise<void> {
  await using agent = await startAgent({
    config: { storage: { url: storageUrl }, plugins: { "event-store": {} } },
  });
  await using publishers = publishEvents(agent);
  for (let round = 0; round < rounds; round++) {
    await publishers.progress(20 + Math.floor(Math.random() * 200));
    await agent.kill();
    await agent.restart();
  }
  await publishers.progress(100);
  await publishers.finish();
  expect([...publishers.refusals.keys()]).toEqual(["connection"]);
  const events = await storedEvents(agent);
  expectKept(events, publishers.acknowledged);
  // Everybody repeated what was not acknowledged: nothing is stored that nobody was told of.
  expect(events.length).toBe(publishers.acknowledged.length);
  for (const { id, seq, payload } of events.slice(-20)) {
    const again = await agent.fetch("/api/events", {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ subject: "fault.tried", id, payload }),
    });
    expect(again.status).toBe(200);
    expect(await again.json()).toMatchObject({ event_id: id, seq, duplicate: true });
  }
}

Deno.test("SQLite: 20 times kill -9 under load, and every acknowledged event is there, once", async () => {
  await killUnderLoad({ rounds: 20, storageUrl: "sqlite:" });
});

testWithPostgres(
  "PostgreSQL: 5 times kill -9 under load, and every acknowledged event is there, once",
  async () => {
    await using database = await createDatabase();
    await killUnderLoad({ rounds: 5, storageUrl: database.url });
  },
);
