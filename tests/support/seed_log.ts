import type { Draft } from "../../plugins/event-store/log/draft.ts";
import { migrations } from "../../plugins/event-store/migrations.ts";
import { EventStore } from "../../plugins/event-store/store.ts";
import { withStorage } from "./every_storage.ts";

/** Fills an event log before any agent runs on it: events with any time, node, id and cause. */
export async function seedLog(
  { storageUrl, dataDir }: { storageUrl: string; dataDir: string },
  drafts: readonly Draft[],
): Promise<void> {
  await withStorage(storageUrl, {
    dataDir,
    run: async (storage) => {
      await storage.migrate("event-store", migrations);
      const store = new EventStore(storage);
      for (let start = 0; start < drafts.length; start += 1000) {
        await store.append(drafts.slice(start, start + 1000), Date.parse("2026-01-01T00:00:00Z"));
      }
    },
  });
}
