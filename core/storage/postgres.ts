import { CompiledQuery, Kysely, PostgresDialect, type Transaction } from "kysely";
// @ts-types="@types/pg"
import pg from "pg";
import { pause } from "../supervise.ts";
import { CommitQueues } from "./commit_queues.ts";
import { CommitSignal } from "./commit_signal.ts";
import { FullDisk } from "./full_disk.ts";
import { guardConnections } from "./lost_connection.ts";
import { migrate } from "./migrate.ts";
import type { StorageSettings } from "./settings.ts";
import type { Storage, StorageOptions } from "./storage.ts";

/** Agents on one database tell each other about commits on this channel. */
const channel = "commandcenter_commit";
/** How long a server may take for one statement before we stop believing in it, in milliseconds. */
const statementTimeoutMs = 20_000;
/** Wait before the lost connection of the listener is replaced, in milliseconds. */
const reconnectMs = 1000;
const oldestTested = 140_000;

/** SQLSTATE `disk_full`. */
const diskFull = "53100";

const pingQuery = CompiledQuery.raw("select 1");

/** Opens PostgreSQL; rejects when it does not answer. Broken connections are replaced as they are needed. */
export async function openPostgres(settings: StorageSettings, options: StorageOptions): Promise<Storage> {
  const configuration = configurationOf(settings, await demandDurability(settings, options));
  const pool = new pg.Pool({ ...configuration, max: settings.pool_size });
  pool.on(
    "error",
    (error) => options.warn("An idle connection to PostgreSQL broke", { error: error.message }),
  );
  // A connection that breaks in use rejects the query that uses it; without a listener it would end the process too.
  pool.on("connect", (client) => client.on("error", () => {}));
  const committed = new CommitSignal();
  const queues = new CommitQueues();
  const disk = new FullDisk({
    isFull: (error) => (error as { code?: string }).code === diskFull,
    onFull: () => options.warn("The disk of PostgreSQL is full: nothing can be stored"),
  });
  const dialect = new PostgresDialect({ pool });
  const db = new Kysely<unknown>({
    dialect: {
      createAdapter: () => dialect.createAdapter(),
      createDriver: () =>
        queues.attach(disk.guard(guardConnections(dialect.createDriver())), () => {
          disk.written();
          committed.fire();
        }),
      createIntrospector: (kysely) => dialect.createIntrospector(kysely),
      createQueryCompiler: () => dialect.createQueryCompiler(),
    },
  });
  const stop = new AbortController();
  const listening = listen(configuration, { signal: stop.signal, onNotify: () => committed.fire() });
  return {
    kind: "postgres",
    tables: <Tables>() => db as unknown as Kysely<Tables>,
    migrate: (owner, migrations) => migrate(db, { owner, migrations, kind: "postgres" }),
    onCommit: (listener) => committed.listen(listener),
    announce: async <Tables>(trx: Transaction<Tables>) => {
      await trx.executeQuery(CompiledQuery.raw(`select pg_notify('${channel}', '')`));
    },
    beforeCommit: (trx, entry) => queues.put(trx, entry),
    probe: async () => {
      const started = performance.now();
      if (disk.problem) await tryWriting(db).then(() => disk.written());
      else await db.executeQuery(pingQuery);
      return performance.now() - started;
    },
    inspect: () => Promise.resolve(undefined),
    reclaim: (tables, signal) => vacuum(configuration, { tables, signal }),
    sizeBytes: async () => {
      const { rows: [row] } = await pool.query("select pg_database_size(current_database()) as size");
      return Number(row?.size ?? 0);
    },
    close: async () => {
      stop.abort();
      await listening;
      await db.destroy();
    },
  };
}

function configurationOf(settings: StorageSettings, session: string | undefined): pg.ClientConfig {
  return {
    connectionString: settings.url,
    application_name: "commandcenter",
    connectionTimeoutMillis: 5000,
    query_timeout: statementTimeoutMs,
    keepAlive: true,
    ...(session === undefined ? {} : { options: session }),
    types: {
      // A sequence is a JavaScript number: 2^53 events are enough.
      getTypeParser:
        ((oid: number, format?: "text") =>
          oid === pg.types.builtins.INT8 ? Number : pg.types.getTypeParser(oid, format)) as never,
    },
  };
}

/**
 * An acknowledged event is on disk: what a session can set right is set right (the returned start-up option), what it
 * cannot is named.
 */
async function demandDurability(
  settings: StorageSettings,
  options: StorageOptions,
): Promise<string | undefined> {
  const client = new pg.Client(configurationOf(settings, undefined));
  client.on("error", () => {}); // what breaks the connection also rejects the query below
  await client.connect();
  try {
    const { rows: [row] } = await client.query(
      `select current_setting('synchronous_commit') as commit, current_setting('fsync') as fsync,
              current_setting('server_version_num')::int as version`,
    );
    if (row.fsync === "off") {
      options.warn("PostgreSQL has fsync=off: acknowledged events do not survive a power loss");
    }
    if (row.version < oldestTested) {
      options.warn("PostgreSQL is older than 14, which is not tested", { server_version_num: row.version });
    }
    if (row.commit !== "off") return undefined;
    options.warn("PostgreSQL has synchronous_commit=off; this agent's sessions use synchronous_commit=on");
    return "-c synchronous_commit=on";
  } finally {
    await client.end();
  }
}

/** Needs room on the disk, and leaves nothing there: fails as long as it is full. */
async function tryWriting(db: Kysely<unknown>): Promise<void> {
  await db.transaction().execute((trx) =>
    trx.executeQuery(CompiledQuery.raw(
      "create temporary table commandcenter_trial on commit drop as select generate_series(1, 4000) as number",
    ))
  );
}

/** On a connection of its own, since it takes as long as it takes; nobody has to wait for it. */
async function vacuum(
  configuration: pg.ClientConfig,
  { tables, signal }: { tables: readonly string[]; signal: AbortSignal },
): Promise<void> {
  const client = new pg.Client({ ...configuration, query_timeout: undefined });
  client.on("error", () => {}); // what breaks the connection also rejects the query below
  await client.connect();
  const end = () => void client.end();
  signal.addEventListener("abort", end, { once: true });
  try {
    for (const table of tables) await client.query(`vacuum ${pg.escapeIdentifier(table)}`);
  } catch (error) {
    if (!signal.aborted) throw error;
  } finally {
    signal.removeEventListener("abort", end);
    await client.end();
  }
}

/** Hears of other agents' commits on a connection of its own; a lost one is replaced, and counts as a commit missed. */
async function listen(
  configuration: pg.ClientConfig,
  { signal, onNotify }: { signal: AbortSignal; onNotify: () => void },
): Promise<void> {
  while (!signal.aborted) {
    const client = new pg.Client(configuration);
    const { promise: ended, resolve: end } = Promise.withResolvers<void>();
    client.on("error", () => end());
    client.on("end", () => end());
    client.on("notification", onNotify);
    signal.addEventListener("abort", () => end(), { once: true });
    try {
      await client.connect();
      await client.query(`listen ${channel}`);
      onNotify();
      await ended;
    } catch {
      // The same outage is reported to whoever needs the database; here it is only a reason to try again.
    } finally {
      await client.end().catch(() => {}); // it may be gone already, which is why we are here
    }
    await pause(reconnectMs, signal);
  }
}
