import { jetstreamManager, type StreamConfig } from "@nats-io/jetstream";
import { connect } from "@nats-io/transport-node";
import { expect } from "expect";
import { startNatsServer } from "../../../tests/support/nats_server.ts";
import { relayedEvents } from "../../../tests/support/relayed_events.ts";
import { startTestKernel, type TestKernel } from "../../../tests/support/test_kernel.ts";
import { testWithNats } from "../../../tests/support/test_with.ts";
import { waitFor } from "../../../tests/support/wait_for.ts";
import eventStore from "../plugin.ts";

async function publish(kernel: TestKernel, subject: string, text = ""): Promise<void> {
  const response = await kernel.fetch("/api/events", {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ subject, payload: { text } }),
  });
  expect(response.status).toBe(201);
  await response.body?.cancel();
}

async function relayed(kernel: TestKernel): Promise<{ seq: number; lag: number }> {
  return (await (await kernel.fetch("/api/events/stats")).json()).relay;
}

async function changeStream(url: string, changes: Partial<StreamConfig>): Promise<void> {
  const connection = await connect({ servers: url });
  const manager = await jetstreamManager(connection);
  await manager.streams.update("COMMANDCENTER_EVENTS", changes);
  await connection.close();
}

testWithNats("more than a connection holds at once is relayed in order, without a hole", async () => {
  await using nats = await startNatsServer({});
  await using kernel = await startTestKernel({
    plugins: [eventStore],
    busUrl: nats.url,
    settings: { "event-store": { max_payload: "900kb" } },
  });
  await publish(kernel, "demo.first");
  await waitFor(async () => (await relayed(kernel)).seq === 1, { what: "the first event" });
  await nats.freeze(); // so that all of it waits for the relay
  const text = "x".repeat(900 * 1024 - 100);
  for (const [count, each] of [[45, text], [45, text], [10, ""]] as const) {
    await Promise.all(Array.from({ length: count }, () => publish(kernel, "demo.more", each)));
  }
  nats.thaw();
  await waitFor(async () => (await relayed(kernel)).seq === 101, { what: "the relay", timeoutMs: 60_000 });
  const events = await relayedEvents(nats.url);
  expect(events.map(({ seq }) => seq)).toEqual(Array.from({ length: 101 }, (_, index) => index + 1));
});

testWithNats(
  "an event that NATS refuses for a while is not skipped, though later ones are stored",
  async () => {
    await using nats = await startNatsServer({});
    await using kernel = await startTestKernel({ plugins: [eventStore], busUrl: nats.url });
    await publish(kernel, "demo.full");
    await waitFor(async () => (await relayed(kernel)).seq === 1, { what: "the first event" });
    const before = { discard: "old", discard_new_per_subject: false, max_msgs_per_subject: -1 } as const;
    await changeStream(nats.url, {
      discard: "new",
      discard_new_per_subject: true,
      max_msgs_per_subject: 1,
    });
    await Promise.all(["demo.a", "demo.full", "demo.b"].map((subject) => publish(kernel, subject)));
    await waitFor(async () => (await relayedEvents(nats.url)).length === 3, { what: "those that are taken" });
    const { lag } = await waitFor(async () => {
      const { checks } = await (await kernel.fetch("/health")).json();
      const relay = checks.find((check: { name: string }) => check.name === "relay");
      return relay.status === "down" && await relayed(kernel);
    }, { what: "the relay to say that it waits" });
    expect(lag).toBeGreaterThan(0);
    await changeStream(nats.url, before);
    await waitFor(async () => (await relayed(kernel)).seq === 4, { what: "the relay", timeoutMs: 20_000 });
    const events = await relayedEvents(nats.url);
    expect(events.map(({ seq }) => seq).sort()).toEqual([1, 2, 3, 4]);
  },
);
