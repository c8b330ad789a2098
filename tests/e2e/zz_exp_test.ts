import { untilMetric } from "../support/agent_state.ts";
import { startNatsServer } from "../support/nats_server.ts";
import { publishEvents } from "../support/publish_events.ts";
import { relayedEvents } from "../support/relayed_events.ts";
import { startAgent } from "../support/run_agent.ts";
import { testWithNats } from "../support/test_with.ts";
testWithNats("exp", async () => {
  await using server = await startNatsServer();
  await using agent = await startAgent({
    config: {
      bus: { url: server.url, stream: { duplicate_window: "100ms" } },
      plugins: { "event-store": {}, metrics: {} },
    },
  });
  await using publishers = publishEvents(agent);
  for (let round = 0; round < 8; round++) {
    await publishers.progress(200 + Math.floor(Math.random() * 300));
    await server.kill();
    await publishers.progress(300);
    await server.restart();
  }
  await publishers.finish();
  await untilMetric(agent, "commandcenter_events_relay_lag", (v) => v === 0);
  const r = await relayedEvents(server.url);
  const seqs = r.map((e) => e.seq);
  const bad = [];
  for (let i = 1; i < seqs.length; i++) if (seqs[i] !== seqs[i - 1]! + 1) bad.push([seqs[i - 1], seqs[i]]);
  console.log(seqs.length, new Set(seqs).size, JSON.stringify(bad));
  await publishers.progress(0).catch(() => {});
});
