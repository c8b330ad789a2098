import { expect } from "expect";
import fc from "fast-check";
import type { BackupRow } from "../../../core/backup/plugin_backup.ts";
import { withStorage } from "../../../tests/support/every_storage.ts";
import { RetentionLog, takenOver, TestClock } from "../../../tests/support/retention_log.ts";
import { inspectBackup } from "./inspect_backup.ts";

type Tables = Record<string, BackupRow[]>;

const names = ["event_store_event", "event_store_gap", "event_store_head"];

/** Rows of a log of 1200 events, of which retention has removed some at its start and in the middle. */
async function logWithGaps(): Promise<Tables> {
  const dataDir = await Deno.makeTempDir();
  const tables: Tables = {};
  try {
    await withStorage("sqlite:", {
      dataDir,
      run: async (storage) => {
        const log = await RetentionLog.open(storage);
        const clock = new TestClock();
        for (let start = 0; start < 1200; start += 100) {
          await log.append(takenOver(60, "hub.b.demo.n0"), { nowMs: clock.ms });
          await log.append(takenOver(40, "hub.b.demo.n1"), { nowMs: clock.ms });
        }
        const agent = await log.agent({ clock, rules: [{ subject: "hub.*.demo.n0", max_count: 100 }] });
        await agent.round();
        const db = storage.tables<Record<string, BackupRow>>();
        for (const name of names) {
          tables[name] = await db.selectFrom(name).selectAll().execute() as BackupRow[];
        }
      },
    });
  } finally {
    await Deno.remove(dataDir, { recursive: true });
  }
  return tables;
}

function inspect(tables: Tables) {
  return inspectBackup(async function* (table) {
    yield* await Promise.resolve(tables[table] ?? []);
  });
}

Deno.test("a whole log is followed over its gaps to its head", async () => {
  const tables = await logWithGaps();
  expect(tables.event_store_gap!.length).toBeGreaterThan(5);
  const [head] = tables.event_store_head!;
  expect(await inspect(tables)).toEqual({
    summary: { head: { seq: 1200, hash: head!.hash }, events: tables.event_store_event!.length },
    faults: [],
  });
  const empty = { event_store_head: [{ id: 1, seq: 0, stored_ms: 0, hash: "0".repeat(64), events: 0 }] };
  expect(await inspect(empty)).toMatchObject({ summary: { events: 0 }, faults: [] });
  expect(await inspect({})).toMatchObject({
    faults: [expect.stringContaining("where the log ends is missing")],
  });
});

Deno.test("a value that was changed, or a row that is missing, is told", async () => {
  const tables = await logWithGaps();
  const place = fc.constantFrom(...names).chain((table) =>
    fc.record({
      table: fc.constant(table),
      row: fc.nat(tables[table]!.length - 1),
      // Neither is part of what is sealed: they say nothing about events.
      column: fc.constantFrom(
        ...Object.keys(tables[table]![0]!).filter((column) =>
          table !== "event_store_head" || !["id", "stored_ms"].includes(column)
        ),
      ),
    })
  );
  await fc.assert(
    fc.asyncProperty(place, fc.boolean(), async ({ table, row, column }, isLost) => {
      const rows = [...tables[table]!];
      const value = rows[row]![column];
      const other = typeof value === "number" ? value + 1 : `${value}x`;
      rows.splice(row, 1, ...(isLost ? [] : [{ ...rows[row]!, [column]: other }]));
      const { faults } = await inspect({ ...tables, [table]: rows });
      expect(faults.length).toBeGreaterThan(0);
    }),
    { numRuns: 200 },
  );
});
