import { expect } from "expect";
import { startAgent } from "./run_agent.ts";

const config = { plugins: { "event-store": {} } };

Deno.test("an agent keeps its address, key and events over kill, restart and stop", async () => {
  await using agent = await startAgent({ config });
  const body = JSON.stringify({ subject: "support.tested", payload: {} });
  const headers = { "content-type": "application/json" };
  const published = await agent.fetch("/api/events", { method: "POST", headers, body });
  expect(published.status).toBe(201);
  const { event_id: id } = await published.json();
  const { url, adminKey, pid } = agent;
  await agent.kill();
  await agent.restart();
  expect([agent.url, agent.adminKey]).toEqual([url, adminKey]);
  expect(agent.pid).not.toBe(pid);
  const found = await agent.fetch(`/api/events/${id}`);
  await found.body?.cancel();
  expect(found.status).toBe(200);
  expect(agent.output()).not.toContain(adminKey);
  expect(await agent.stop()).toBe(0);
});

Deno.test("a YAML text is a configuration too, and an agent that cannot start says why", async () => {
  await expect(startAgent({ config: "plugins: { no-such-plugin: {} }" })).rejects.toThrow(
    /exited with 78 and printed:[^]*no-such-plugin/,
  );
});
