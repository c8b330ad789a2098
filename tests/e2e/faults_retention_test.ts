import { expect } from "expect";
import { createDatabase } from "../support/postgres.ts";
import { withStorage } from "../support/every_storage.ts";
import { expectWholeLog } from "../support/expect_whole_log.ts";
import { publishEvents } from "../support/publish_events.ts";
import { RetentionLog } from "../support/retention_log.ts";
import { type Agent, startAgent } from "../support/run_agent.ts";
import { testWithPostgres } from "../support/test_with.ts";
import { waitFor } from "../support/wait_for.ts";

async function removedBy(agent: Agent): Promise<number> {
  const { retention: [rule] } = await (await agent.fetch("/api/events/stats")).json();
  return rule.removed_events;
}

/** Kills the agent again and again while it removes what publishers bring; after each kill the log has to be whole. */
async function killInMidRun({ rounds, storageUrl }: { rounds: number; storageUrl: string }): Promise<void> {
  await using agent = await startAgent({
    config: {
      storage: { url: storageUrl },
      plugins: { "event-store": { retention: [{ subject: "fault.>", max_count: 20 }] } },
    },
  });
  await using publishers = publishEvents(agent);
  for (let round = 0; round < rounds; round++) {
    await publishers.progress(300);
    const before = await removedBy(agent);
    await agent.restart(); // soon after its start it removes
    await waitFor(async () => await removedBy(agent) > before, { what: "events to be removed", pollMs: 1 });
    await agent.kill();
    await withStorage(storageUrl, {
      dataDir: agent.dataDir,
      run: async (storage) => {
        const log = await RetentionLog.open(storage);
        const [rows, gaps, head] = [await log.rows(), await log.gaps(), await log.store.head()];
        expectWholeLog({ rows, gaps, head });
        // Whatever is acknowledged was stored: it is there, or was removed on purpose.
        expect(head.seq).toBeGreaterThanOrEqual(Math.max(...publishers.acknowledged.map(({ seq }) => seq)));
        const stored = new Map(rows.map(({ seq, id }) => [seq, id]));
        const isGone = (seq: number) => gaps.some((gap) => gap.from_seq <= seq && seq <= gap.to_seq);
        expect(publishers.acknowledged.filter(({ seq, id }) => stored.get(seq) !== id && !isGone(seq)))
          .toEqual([]);
      },
    });
    await agent.restart();
  }
  await publishers.finish();
}

Deno.test("SQLite: kill -9 while events are removed leaves a whole log, five times", async () => {
  await killInMidRun({ rounds: 5, storageUrl: "sqlite:" });
});

testWithPostgres("PostgreSQL: kill -9 while events are removed leaves a whole log, twice", async () => {
  await using database = await createDatabase();
  await killInMidRun({ rounds: 2, storageUrl: database.url });
});
