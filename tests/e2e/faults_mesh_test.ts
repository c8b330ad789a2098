import { expect } from "expect";
import { type NatsServer, startNatsServer } from "../support/nats_server.ts";
import { type Publishers, publishEvents } from "../support/publish_events.ts";
import { type Agent, startAgent } from "../support/run_agent.ts";
import { seededRandom } from "../support/seeded_random.ts";
import { storedEvents } from "../support/stored_events.ts";
import { testWithNats } from "../support/test_with.ts";
import { waitFor } from "../support/wait_for.ts";

const rounds = 50;

/** Everything acknowledged by any of the agents, as `node id`, in the order of the alphabet. */
function acknowledgedBy(publishers: ReadonlyMap<string, Publishers>): string[] {
  return [...publishers].flatMap(([node, { acknowledged }]) => acknowledged.map(({ id }) => `${node} ${id}`))
    .sort();
}

async function countOf(agent: Agent): Promise<number> {
  const { events } = await (await agent.fetch("/api/events/stats")).json();
  return events;
}

async function heldBy(agent: Agent): Promise<string[]> {
  return (await storedEvents(agent)).map(({ id, origin }) => `${origin.node_id} ${id}`).sort();
}

testWithNats(
  `kill -9 of publisher, hub and nats-server in turn, ${rounds} rounds: the hub holds exactly the union`,
  async (context) => {
    const seed = Number(Deno.env.get("SEED") ?? Math.floor(Math.random() * 2 ** 31));
    await context.step(`SEED=${seed} repeats these kills`, () => killInTurn(seededRandom(seed)));
  },
);

async function killInTurn(random: () => number): Promise<void> {
  await using server = await startNatsServer();
  const start = (id: string, collect: string[]) =>
    startAgent({
      config: {
        node: { id },
        bus: { url: server.url },
        plugins: { "event-store": { collect }, metrics: {} },
      },
    });
  await using hub = await start("hub", ["hub.>"]);
  await using north = await start("north", []);
  await using south = await start("south", []);
  await using atHub = publishEvents(hub, { publishers: 2 });
  await using atNorth = publishEvents(north, { publishers: 4 });
  await using atSouth = publishEvents(south, { publishers: 4 });
  const publishers = new Map([["hub", atHub], ["north", atNorth], ["south", atSouth]]);

  const victims: readonly (Agent | NatsServer)[] = [north, hub, server, south, hub, server];
  for (let round = 0; round < rounds; round++) {
    const victim = victims[round % victims.length]!;
    const witness = victim === north ? atSouth : atNorth;
    await witness.progress(1 + Math.floor(random() * 60));
    await victim.kill();
    if (random() < 0.5) await witness.progress(1 + Math.floor(random() * 40));
    await victim.restart();
  }
  for (const each of publishers.values()) await each.finish();

  const union = acknowledgedBy(publishers);
  expect(union.length).toBeGreaterThan(rounds * 20);
  await waitFor(async () => await countOf(hub) >= union.length, {
    what: `the hub to hold ${union.length} events`,
    timeoutMs: 60_000,
    pollMs: 200,
  });
  expect(await heldBy(hub)).toEqual(union);
  for (const agent of [north, south]) {
    const own = await heldBy(agent);
    expect(own).toEqual(union.filter((each) => each.startsWith(`${own[0]!.split(" ")[0]} `)));
  }
}
