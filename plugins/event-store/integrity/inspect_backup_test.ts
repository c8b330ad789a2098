import { expect } from "expect";
import type { BackupRow } from "../../../core/backup/plugin_backup.ts";
import { eventDraft } from "../../../tests/support/event_draft.ts";
import { withStorage } from "../../../tests/support/every_storage.ts";
import { RetentionLog, TestClock } from "../../../tests/support/retention_log.ts";
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
          const drafts = Array.from({ length: 100 }, (_, n) => eventDraft(`hub.a.demo.n${(start + n) % 2}`));
          await log.store.append(drafts, clock.ms);
        }
        await using agent = await log.agent({ clock, rules: [{ subject: "hub.*.demo.n0", max_count: 100 }] });
        await agent.round();
        const db = storage.tables<Record<string, BackupRow>>();
        for (const name of names) tables[name] = await db.selectFrom(name).selectAll().execute() as BackupRow[];
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
