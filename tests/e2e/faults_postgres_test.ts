import { expect } from "expect";
import { untilCheck } from "../support/agent_state.ts";
import { followEvents } from "../support/follow_events.ts";
import { type PostgresServer, startPostgres } from "../support/postgres.ts";
import { publishEvents } from "../support/publish_events.ts";
import { type Agent, startAgent } from "../support/run_agent.ts";
import { expectGapless, expectKept, storedEvents } from "../support/stored_events.ts";
import { testWithOwnPostgres } from "../support/test_with.ts";

const ends: [how: string, end: (server: PostgresServer) => Promise<void>][] = [
  ["stops in order", (server) => server.stop({ mode: "fast" })],
  ["crashes", (server) => server.stop({ mode: "immediate" })],
  ["is killed", (server) => server.kill()],
];

async function statusOf(agent: Agent, path: string): Promise<number> {
  const answer = await agent.fetch(path);
  await answer.body?.cancel();
  return answer.status;
}

for (const [how, end] of ends) {
  testWithOwnPostgres(
    `PostgreSQL ${how} under load: publishers wait, and nothing acknowledged is lost`,
    async () => {
      await using server = await startPostgres();
      await using agent = await startAgent({
        config: { storage: { url: server.url }, plugins: { "event-store": {} } },
      });
      const pid = agent.pid;
      await using follower = await followEvents(agent);
      await using publishers = publishEvents(agent);
      for (let round = 0; round < 2; round++) {
        await publishers.progress(200);
        await end(server);
        await untilCheck(agent, "storage", "down");
        expect(await statusOf(agent, "/health")).toBe(503);
        expect(await statusOf(agent, "/health/live")).toBe(200);
        await server.restart();
        await untilCheck(agent, "storage", "up");
      }
      await publishers.progress(200);
      await publishers.finish();
      // Asked to try again, and nothing else: no 500, no broken connection.
      expect([...publishers.refusals.keys()]).toEqual(["503 storage_unavailable"]);
      expectKept(await storedEvents(agent), publishers.acknowledged);
      await follower.reach(publishers.acknowledged.length);
      expectGapless(follower.sequences);
      expect(follower.problems).toEqual([]);
      expect(agent.pid).toBe(pid);
      expect(await agent.stop()).toBe(0);
    },
  );
}
