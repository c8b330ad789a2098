import { expect } from "expect";
import { join } from "node:path";
import { untilMetric } from "../support/agent_state.ts";
import { cliAt, createPlace, startAt } from "../support/backup_agents.ts";
import { startNatsServer } from "../support/nats_server.ts";
import { publishEvents } from "../support/publish_events.ts";
import { relayedEvents } from "../support/relayed_events.ts";
import type { Agent } from "../support/run_agent.ts";
import { storedEvents } from "../support/stored_events.ts";
import { testWithNats } from "../support/test_with.ts";
import { waitFor } from "../support/wait_for.ts";

async function publish(agent: Agent, count: number): Promise<string[]> {
  await using publishers = publishEvents(agent, { publishers: 4 });
  await publishers.progress(count);
  await publishers.finish();
  await untilMetric(agent, "commandcenter_events_relay_lag", (lag) => lag === 0);
  return publishers.acknowledged.map(({ id }) => id);
}

testWithNats(
  "an agent restored from an older backup goes on: what it publishes reaches the bus, and others take it in",
  async () => {
    await using server = await startNatsServer();
    const bus = { bus: { url: server.url } };
    await using from = await createPlace("sqlite");
    await using to = await createPlace("sqlite");
    await using other = await createPlace("sqlite", { collect: ["hub.>"] });
    const file = join(from.folder, "backup.tar");
    const published: string[] = [];
    {
      await using agent = await startAt(from, bus);
      published.push(...await publish(agent, 100));
      expect(await cliAt(from, "backup", file)).toMatchObject({ code: 0 });
      published.push(...await publish(agent, 50)); // the backup does not know of these
    }
    expect(await cliAt(to, "restore", file)).toMatchObject({ code: 0 });
    await using agent = await startAt(to, bus);
    const kept = (await storedEvents(agent)).length;
    const again = await publish(agent, 80); // under the sequences of those that were lost, and further ones
    expect(await storedEvents(agent)).toHaveLength(kept + again.length);
    published.push(...again);

    const relayed = new Set((await relayedEvents(server.url)).map(({ id }) => id));
    expect(published.filter((id) => !relayed.has(id))).toEqual([]);
    await using collecting = await startAt(other, bus);
    await waitFor(async () => (await storedEvents(collecting)).length >= published.length, {
      what: "all events to be taken in",
      timeoutMs: 30_000,
    });
    const collected = (await storedEvents(collecting)).map(({ id }) => id);
    expect(collected.toSorted()).toEqual(published.toSorted());
  },
);
