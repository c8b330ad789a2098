import { expect } from "expect";
import { untilCheck, untilMetric } from "../support/agent_state.ts";
import { type NetworkFault, startFaultyNetwork } from "../support/faulty_network.ts";
import { startNatsServer } from "../support/nats_server.ts";
import { publishEvents } from "../support/publish_events.ts";
import { relayedEvents } from "../support/relayed_events.ts";
import { startAgent } from "../support/run_agent.ts";
import { expectGapless, expectKept, storedEvents } from "../support/stored_events.ts";
import { testWithNats } from "../support/test_with.ts";

const lag = "commandcenter_events_relay_lag";

const faults: readonly { what: string; fault: NetworkFault; isFelt: boolean }[] = [
  { what: "swallows every byte without a word", fault: { kind: "drop" }, isFelt: true },
  { what: "breaks and refuses every connection", fault: { kind: "refuse" }, isFelt: true },
  { what: "half-closes every connection", fault: { kind: "half-close" }, isFelt: false },
  { what: "delays everything by 400 ms", fault: { kind: "delay", delayMs: 400 }, isFelt: false },
];

for (const { what, fault, isFelt } of faults) {
  testWithNats(`a network to NATS that ${what} loses nothing and holds no publisher up`, async () => {
    await using server = await startNatsServer();
    await using network = await startFaultyNetwork(server.port);
    await using agent = await startAgent({
      config: {
        bus: { url: `nats://127.0.0.1:${network.port}` },
        plugins: { "event-store": {}, metrics: {} },
      },
    });
    await using publishers = publishEvents(agent);
    await publishers.progress(300);
    await untilCheck(agent, "relay", "up");

    network.become(fault);
    await publishers.progress(300);
    if (isFelt) {
      await untilCheck(agent, "bus", "down");
      await untilMetric(agent, lag, (value) => value >= 300);
    }
    if (fault.kind === "drop") expect(network.droppedBytes).toBeGreaterThan(0);
    await publishers.progress(300);

    network.become({ kind: "none" });
    await untilCheck(agent, "bus", "up");
    await publishers.progress(100);
    await publishers.finish();
    await untilMetric(agent, lag, (value) => value === 0);

    expect([...publishers.refusals]).toEqual([]);
    const stored = await storedEvents(agent);
    expectKept(stored, publishers.acknowledged);
    const relayed = await relayedEvents(server.url);
    expectGapless(relayed.map(({ seq }) => seq));
    expect(relayed.map(({ id }) => id)).toEqual(stored.map(({ id }) => id));
  });
}
