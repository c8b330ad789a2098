import { expect } from "expect";
import { untilCheck, untilMetric } from "../support/agent_state.ts";
import { followEvents } from "../support/follow_events.ts";
import { type NatsServer, startNatsServer } from "../support/nats_server.ts";
import { publishEvents } from "../support/publish_events.ts";
import { relayedEvents } from "../support/relayed_events.ts";
import { type Agent, startAgent } from "../support/run_agent.ts";
import { expectGapless, expectKept, storedEvents } from "../support/stored_events.ts";
import { testWithNats } from "../support/test_with.ts";

const lag = "commandcenter_events_relay_lag";

function startAgentOn(server: NatsServer): Promise<Agent> {
  return startAgent({
    config: { bus: { url: server.url }, plugins: { "event-store": {}, metrics: {} } },
  });
}

/** Fails unless the bus holds exactly what the agent stored, in the same order. */
async function expectRelayed(agent: Agent, server: NatsServer): Promise<void> {
  await untilMetric(agent, lag, (value) => value === 0);
  const stored = await storedEvents(agent);
  const relayed = await relayedEvents(server.url);
  expectGapless(relayed.map(({ seq }) => seq));
  expect(relayed.map(({ id }) => id)).toEqual(stored.map(({ id }) => id));
}

interface Outage {
  readonly what: string;
  readonly begin: (server: NatsServer) => Promise<void>;
  readonly end: (server: NatsServer) => void | Promise<void>;
}

const outages: readonly Outage[] = [
  { what: "stopped", begin: (server) => server.stop(), end: (server) => server.restart() },
  { what: "killed", begin: (server) => server.kill(), end: (server) => server.restart() },
  {
    what: "stopped, and back with an empty store,",
    begin: (server) => server.stop(),
    end: (server) => server.restart({ emptyStore: true }),
  },
  { what: "frozen", begin: (server) => server.freeze(), end: (server) => server.thaw() },
];

for (const { what, begin, end } of outages) {
  testWithNats(`NATS ${what} delays events on the bus and is otherwise not felt`, async () => {
    await using server = await startNatsServer();
    await using agent = await startAgentOn(server);
    await using follower = await followEvents(agent);
    await using publishers = publishEvents(agent);
    await publishers.progress(500);
    await untilCheck(agent, "relay", "up");

    await begin(server);
    await untilCheck(agent, "bus", "down");
    await untilCheck(agent, "relay", "down");
    await publishers.progress(500);
    await untilMetric(agent, lag, (value) => value >= 500);
    await follower.reach(publishers.acknowledged.at(-1)!.seq);

    await end(server);
    await untilCheck(agent, "relay", "up");
    await untilCheck(agent, "bus", "up");
    await publishers.progress(100);
    await publishers.finish();
    expect([...publishers.refusals]).toEqual([]);
    expectKept(await storedEvents(agent), publishers.acknowledged);
    await expectRelayed(agent, server);
    await follower.reach(publishers.acknowledged.length);
    expectGapless(follower.sequences);
    expect(follower.problems).toEqual([]);
  });
}

const ends: [how: string, end: (agent: Agent) => Promise<unknown>][] = [
  ["stops in order", async (agent) => expect(await agent.stop()).toBe(0)],
  ["is killed", (agent) => agent.kill()],
];

for (const [how, endAgent] of ends) {
  testWithNats(`what was published while NATS was away is relayed after the agent ${how}`, async () => {
    await using server = await startNatsServer();
    await using agent = await startAgentOn(server);
    await using publishers = publishEvents(agent);
    await publishers.progress(300);
    await server.kill();
    await publishers.progress(300);
    await endAgent(agent);
    await agent.restart(); // with NATS still away
    await untilCheck(agent, "relay", "down");
    await publishers.progress(100);
    await publishers.finish();
    await server.restart();
    expectKept(await storedEvents(agent), publishers.acknowledged);
    await expectRelayed(agent, server);
  });
}

testWithNats("killed again and again, the agent relays every event once, in order", async () => {
  await using server = await startNatsServer();
  await using agent = await startAgentOn(server);
  await using publishers = publishEvents(agent);
  for (let round = 0; round < 5; round++) {
    await publishers.progress(100 + Math.floor(Math.random() * 300));
    await agent.kill();
    await agent.restart();
  }
  await publishers.finish();
  expectKept(await storedEvents(agent), publishers.acknowledged);
  await expectRelayed(agent, server);
});

testWithNats("an agent that starts while NATS is away serves, and relays once NATS is there", async () => {
  await using server = await startNatsServer();
  await server.stop();
  await using agent = await startAgentOn(server);
  await using publishers = publishEvents(agent);
  await publishers.progress(200);
  const health = await agent.fetch("/health");
  expect(health.status).toBe(200); // the bus is not required: events wait
  expect((await health.json()).status).toBe("degraded");
  await publishers.finish();
  expect([...publishers.refusals]).toEqual([]);
  await server.restart();
  await expectRelayed(agent, server);
  await untilCheck(agent, "relay", "up");
});

testWithNats(
  "an outage longer than the bus knows ids may repeat events, and changes nothing else",
  async () => {
    await using server = await startNatsServer();
    await using agent = await startAgent({
      config: {
        bus: { url: server.url, stream: { duplicate_window: "100ms" } },
        plugins: { "event-store": {}, metrics: {} },
      },
    });
    await using publishers = publishEvents(agent);
    for (let round = 0; round < 3; round++) {
      await publishers.progress(300);
      await server.kill();
      await publishers.progress(300);
      await server.restart();
    }
    await publishers.finish();
    await untilMetric(agent, lag, (value) => value === 0);
    // A consumer tells repetitions by the id: the first time each was seen is in order and complete.
    const seen = new Set((await relayedEvents(server.url)).map(({ id }) => id));
    expect([...seen]).toEqual((await storedEvents(agent)).map(({ id }) => id));
    expectKept(await storedEvents(agent), publishers.acknowledged);
  },
);
