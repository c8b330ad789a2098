import { newId } from "../../core/clock.ts";
import { openStorage } from "../../core/storage/open_storage.ts";
import { storageSettings } from "../../core/storage/settings.ts";
import { migrations } from "../../plugins/event-store/migrations.ts";
import type { EventStoreTables } from "../../plugins/event-store/tables.ts";
import { createDatabase } from "../../tests/support/postgres.ts";
import { publishFrom } from "./append_row.ts";
import { startBenchKernel } from "./bench_kernel.ts";
import { makeRows } from "./event_table.ts";
import type { Row } from "./row.ts";

const publishers = 64;
const eventsPerTurn = 1024;

/** The same on PostgreSQL, where `$DATABASE_URL` names one; two databases are made there and dropped again. */
export const appendPostgresRow: Row = {
  name: "append-postgres",
  work: "host.publish, 64 at once, PostgreSQL, bus in memory without a subscriber",
  baseline: "one insert of 64 rows per transaction, one after the other, same table and indexes",
  unit: "events/s",
  goal: { kind: "none" },
  turns: 8,
  missing: () => Deno.env.get("DATABASE_URL") ? undefined : "DATABASE_URL names no PostgreSQL server",
  open: async () => {
    const serverUrl = Deno.env.get("DATABASE_URL")!;
    await using opened = new AsyncDisposableStack();
    const [own, other] = [await createDatabase({ serverUrl }), await createDatabase({ serverUrl })];
    opened.use(own);
    opened.use(other);
    const kernel = opened.use(await startBenchKernel({ storageUrl: own.url, subscribed: false }));
    const storage = await openStorage(storageSettings.parse({ url: other.url, pool_size: 2 }), {
      dataDir: ".",
      warn: () => {},
    });
    opened.defer(() => storage.close());
    await storage.migrate("event-store", migrations);
    const db = storage.tables<EventStoreTables>();
    const resources = opened.move();
    let stored = 0;
    return {
      work: async () => {
        const seconds = await publishFrom(publishers, { count: eventsPerTurn, publish: kernel.publish });
        await kernel.idle();
        return { figure: eventsPerTurn / seconds };
      },
      baseline: async () => {
        const rows = makeRows(eventsPerTurn, { after: stored, nodeId: newId() });
        const started = performance.now();
        for (let start = 0; start < rows.length; start += publishers) {
          await db.insertInto("event_store_event").values(rows.slice(start, start + publishers)).execute();
        }
        stored += rows.length;
        return { figure: eventsPerTurn / ((performance.now() - started) / 1000) };
      },
      [Symbol.asyncDispose]: () => resources.disposeAsync(),
    };
  },
};
