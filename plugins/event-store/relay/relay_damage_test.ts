import { DatabaseSync } from "node:sqlite";
import { join } from "node:path";
import { expect } from "expect";
import { publishTo } from "../../../tests/support/collected_events.ts";
import { startNatsServer } from "../../../tests/support/nats_server.ts";
import { relayedEvents } from "../../../tests/support/relayed_events.ts";
import { startTestKernel } from "../../../tests/support/test_kernel.ts";
import { testWithNats } from "../../../tests/support/test_with.ts";
import { waitFor } from "../../../tests/support/wait_for.ts";
import eventStore from "../plugin.ts";

testWithNats("events that are damaged on disk stay behind, are told of, and the others go on", async () => {
  await using nats = await startNatsServer({});
  const dataDir = await Deno.makeTempDir();
  const options = { plugins: [eventStore], dataDir, nodeId: "here" };
  {
    await using kernel = await startTestKernel(options);
    for (let n = 1; n <= 12; n++) await publishTo(kernel, { subject: "demo.counted", payload: { n } });
  }
  const database = new DatabaseSync(join(dataDir, "commandcenter.db"));
  for (const seq of [1, 5, 6, 12]) {
    database.prepare("update event_store_event set payload = ? where seq = ?").run('{"n":0}', seq);
  }
  database.exec("delete from event_store_relay"); // a bus in memory had them all
  database.close();
  await using kernel = await startTestKernel({ ...options, busUrl: nats.url });
  const relay = await waitFor(async () => {
    const answer = await (await kernel.fetch("/api/events/stats")).json();
    return answer.relay.lag === 0 && answer.relay;
  }, { what: "the relay" });
  expect(relay).toMatchObject({ seq: 12, parked: 4, problem: null });
  expect((await relayedEvents(nats.url)).map(({ seq }) => seq)).toEqual([2, 3, 4, 7, 8, 9, 10, 11]);
  const { checks } = await (await kernel.fetch("/health")).json();
  const check = checks.find(({ name }: { name: string }) => name === "relay");
  expect(check).toMatchObject({ status: "degraded", message: expect.stringContaining("damaged") });
  await kernel.stop();
  await Deno.remove(dataDir, { recursive: true });
});
