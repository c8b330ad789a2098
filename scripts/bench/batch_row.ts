import { CompiledQuery } from "kysely";
import { join } from "node:path";
import { openStorage } from "../../core/storage/open_storage.ts";
import { storageSettings } from "../../core/storage/settings.ts";
import { insertJson } from "../../plugins/event-store/store.ts";
import { migrations } from "../../plugins/event-store/migrations.ts";
import type { EventRow, EventStoreTables } from "../../plugins/event-store/tables.ts";
import { createDatabase } from "../../tests/support/postgres.ts";
import { startBenchAgent } from "./bench_agent.ts";
import { EventTable, makeRows, samplePayload } from "./event_table.ts";
import { HttpConnection, requestBytes } from "./http_connection.ts";
import type { Contest, Row } from "./row.ts";

const eventsPerBatch = 1000;
const shared = {
  unit: "events/s",
  goal: { kind: "ratio", atLeast: 0.5 },
  turns: 16,
} as const;

/** A batch over HTTP beside the bare driver. */
export const batchRow: Row = {
  ...shared,
  name: "batch",
  work: "POST /api/events/batch, 1000 events as a JSON array, one connection, SQLite",
  baseline: "prepared inserts of the same rows, hashed before, in one transaction; same table and indexes",
  open: async () => {
    await using opened = new AsyncDisposableStack();
    const folder = await Deno.makeTempDir({ prefix: "commandcenter-bench-" });
    opened.defer(() => Deno.remove(folder, { recursive: true }));
    const post = opened.use(await openPoster("sqlite:"));
    const table = opened.use(await EventTable.open(join(folder, "baseline.db")));
    return contest(post, { resources: opened.move(), insert: (rows) => table.append(rows) });
  },
};

/** The same on PostgreSQL, where `$DATABASE_URL` names one; two databases are made there and dropped again. */
export const batchPostgresRow: Row = {
  ...shared,
  name: "batch-postgres",
  work: "the same, PostgreSQL",
  baseline: "one insert of the same rows, hashed before, as one JSON text; same table and indexes",
  missing: () => Deno.env.get("DATABASE_URL") ? undefined : "DATABASE_URL names no PostgreSQL server",
  open: async () => {
    const serverUrl = Deno.env.get("DATABASE_URL")!;
    await using opened = new AsyncDisposableStack();
    const own = opened.use(await createDatabase({ serverUrl }));
    const other = opened.use(await createDatabase({ serverUrl }));
    const post = opened.use(await openPoster(own.url));
    const storage = await openStorage(storageSettings.parse({ url: other.url, pool_size: 2 }), {
      dataDir: ".",
      warn: () => {},
    });
    opened.defer(() => storage.close());
    await storage.migrate("event-store", migrations);
    const db = storage.tables<EventStoreTables>();
    const insert = (rows: readonly EventRow[]) =>
      db.transaction().execute((trx) =>
        trx.executeQuery(CompiledQuery.raw(insertJson, [JSON.stringify(rows)]))
      );
    return contest(post, { resources: opened.move(), insert });
  },
};

interface Poster extends AsyncDisposable {
  /** Resolves when the batch is acknowledged. */
  post(): Promise<void>;
}

/** The real program on that storage, and one connection to it. */
async function openPoster(storageUrl: string): Promise<Poster> {
  await using opened = new AsyncDisposableStack();
  const agent = opened.use(await startBenchAgent({ storageUrl }));
  const connection = opened.use(await HttpConnection.open(agent.url));
  const events = Array.from(
    { length: eventsPerBatch },
    () => ({ subject: "bench.stored", payload: samplePayload }),
  );
  const request = requestBytes("POST", `${agent.url}/api/events/batch`, {
    key: agent.adminKey,
    body: JSON.stringify(events),
  });
  const resources = opened.move();
  return {
    post: () => connection.exchange(request, 201),
    [Symbol.asyncDispose]: () => resources.disposeAsync(),
  };
}

function contest(
  { post }: Poster,
  { insert, resources }: { insert: (rows: readonly EventRow[]) => unknown; resources: AsyncDisposableStack },
): Contest {
  let stored = 0;
  return {
    work: () => rateOf(post),
    baseline: () => {
      const rows = makeRows(eventsPerBatch, { after: stored, nodeId: "bench" });
      stored += rows.length;
      return rateOf(() => insert(rows));
    },
    [Symbol.asyncDispose]: () => resources.disposeAsync(),
  };
}

async function rateOf(work: () => unknown): Promise<{ figure: number }> {
  const started = performance.now();
  await work();
  return { figure: eventsPerBatch / ((performance.now() - started) / 1000) };
}
