import { DatabaseSync } from "node:sqlite";
import { join } from "node:path";
import { startAgent } from "../../../tests/support/run_agent.ts";
import { waitFor } from "../../../tests/support/wait_for.ts";

Deno.test("where the end of the log was removed before it was relayed, nothing is left to wait for", async () => {
  await using agent = await startAgent({ config: { plugins: { "event-store": {} } } });
  const publish = async () => {
    const body = JSON.stringify({ subject: "demo.counted", payload: {} });
    const headers = { "content-type": "application/json" };
    await (await agent.fetch("/api/events", { method: "POST", headers, body })).body?.cancel();
  };
  const relayed = async () => {
    const { relay } = await (await agent.fetch("/api/events/stats")).json();
    return relay.lag === 0 ? relay.seq : undefined;
  };
  for (let n = 0; n < 20; n++) await publish();
  await waitFor(async () => await relayed() === 20, { what: "all to be relayed" });
  await agent.stop();
  // As after a kill -9 before the position was noted, and retention that was quick.
  const database = new DatabaseSync(join(agent.dataDir, "commandcenter.db"));
  database.exec("delete from event_store_event where seq > 5; update event_store_relay set seq = 5");
  database.close();
  await agent.restart();
  await waitFor(async () => await relayed() === 20, { what: "the relay to see the end of the log" });
});
