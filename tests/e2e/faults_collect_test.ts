import { expect } from "expect";
import { type CollectedEvent, collectedEvents, untilCollected } from "../support/collected_events.ts";
import { createDatabase } from "../support/postgres.ts";
import { type NatsServer, startNatsServer } from "../support/nats_server.ts";
import { publishEvents } from "../support/publish_events.ts";
import { type Agent, startAgent } from "../support/run_agent.ts";
import { expectGapless } from "../support/stored_events.ts";
import { testWith, testWithNats } from "../support/test_with.ts";

function startHub(server: NatsServer, storageUrl = "sqlite:"): Promise<Agent> {
  return startAgent({
    config: {
      node: { id: "the-hub" },
      bus: { url: server.url },
      storage: { url: storageUrl },
      plugins: { "event-store": { collect: ["hub.>"] } },
    },
  });
}

function startAuthor(server: NatsServer, id: string): Promise<Agent> {
  return startAgent({ config: { node: { id }, bus: { url: server.url }, plugins: { "event-store": {} } } });
}

const withoutSeq = (events: readonly CollectedEvent[]) => events.map(({ seq: _, ...event }) => event);

/** Fails unless the hub holds exactly what the author does, in its order, and has no gap in its own log. */
async function expectSame(hub: Agent, author: Agent, origin: string): Promise<void> {
  const there = await collectedEvents(author, origin);
  const here = await untilCollected(hub, { origin, count: there.length, timeoutMs: 60_000 });
  expect(withoutSeq(here)).toEqual(withoutSeq(there));
  expectGapless((await collectedEvents(hub)).map(({ seq }) => seq));
}

async function killedAgainAndAgain(rounds: number, storageUrl?: string): Promise<void> {
  await using server = await startNatsServer();
  await using hub = await startHub(server, storageUrl);
  await using a = await startAuthor(server, "host-a");
  await using b = await startAuthor(server, "host-b");
  await using fromA = publishEvents(a, { publishers: 1 }); // a hub that shares two cores with five programs has to keep up
  await using fromB = publishEvents(b, { publishers: 1 });
  await fromA.progress(100);
  for (let round = 0; round < rounds; round++) {
    await hub.kill();
    await fromA.progress(100);
    await hub.restart();
    await untilCollected(hub, { origin: "host-b", count: fromB.acknowledged.length });
  }
  await Promise.all([fromA.finish(), fromB.finish()]);
  await expectSame(hub, a, "host-a");
  await expectSame(hub, b, "host-b");
  expect((await collectedEvents(hub, "host-a")).length).toBe(fromA.acknowledged.length);
}

testWithNats(
  "a hub that is killed again and again has every event of the others once, in order",
  () => killedAgainAndAgain(4),
);

testWith({
  needs: ["nats", "postgres"],
  name: "a hub on PostgreSQL that is killed again and again has every event of the others once",
  run: async () => {
    await using database = await createDatabase();
    await killedAgainAndAgain(2, database.url);
  },
});

testWithNats("a hub collects through a NATS server that is killed, and authors that are", async () => {
  await using server = await startNatsServer();
  await using hub = await startHub(server);
  await using a = await startAuthor(server, "host-a");
  await using publishers = publishEvents(a, { publishers: 4 });
  for (let round = 0; round < 3; round++) {
    await publishers.progress(100);
    await server.kill();
    await publishers.progress(100);
    await server.restart();
    await publishers.progress(50);
    await a.kill();
    await a.restart();
  }
  await publishers.finish();
  await expectSame(hub, a, "host-a");
});
