import { expect } from "expect";
import { sql } from "kysely";
import type { Storage } from "../../../core/storage/storage.ts";
import { testOnEveryStorage } from "../../../tests/support/every_storage.ts";
import { RetentionLog, takenOver, TestClock } from "../../../tests/support/retention_log.ts";

/** Bytes of the table of events alone on PostgreSQL; of the whole file, its log of writes included, on SQLite. */
async function sizeOf(storage: Storage): Promise<number> {
  if (storage.kind === "sqlite") return await storage.sizeBytes();
  const { rows: [row] } = await sql<{ size: number }>`select pg_table_size('event_store_event') as size`
    .execute(storage.tables());
  return Number(row!.size);
}

testOnEveryStorage("what is removed makes room: files get smaller, or no larger", async (storage) => {
  const log = await RetentionLog.open(storage);
  const clock = new TestClock();
  const agent = await log.agent({ rules: [{ subject: ">", max_count: 50 }], clock });
  const append = async () => {
    for (let n = 0; n < 40; n++) {
      await log.append(takenOver(25, "hub.b.demo.seen", 20_000), { nowMs: clock.ms, agents: [agent] });
    }
  };
  await append();
  const largest = await sizeOf(storage);
  await agent.round();
  expect((await log.rows()).length).toBe(50);
  if (storage.kind === "sqlite") {
    expect(largest).toBeGreaterThan(20_000_000);
    expect(await sizeOf(storage)).toBeLessThan(4_000_000);
  }
  // PostgreSQL gives back only what is free at the end of a table; but the same again fits where it was.
  for (let n = 0; n < 3; n++) {
    await append();
    await agent.round();
  }
  expect(await sizeOf(storage)).toBeLessThan(largest * 1.2);
});
