import { CompiledQuery, type Driver, Kysely, type Transaction } from "kysely";
import { PostgresJSDialect } from "kysely-postgres-js";
import postgres from "postgres";
import { CommitSignal } from "./commit_signal.ts";
import { migrate } from "./migrate.ts";
import type { StorageSettings } from "./settings.ts";
import type { Storage, StorageOptions } from "./storage.ts";

/** Agents on one database tell each other about commits on this channel. */
const channel = "commandcenter_commit";

const pingQuery = CompiledQuery.raw("select 1");

/** Opens PostgreSQL; rejects when it does not answer. Broken connections are replaced as they are needed. */
export async function openPostgres(settings: StorageSettings, options: StorageOptions): Promise<Storage> {
  const sql = connect(settings);
  try {
    await demandDurability(sql, options);
  } catch (error) {
    await sql.end({ timeout: 1 });
    throw error;
  }
  const committed = new CommitSignal();
  const dialect = new PostgresJSDialect({ postgres: sql });
  const db = new Kysely<unknown>({
    dialect: {
      createAdapter: () => dialect.createAdapter(),
      createDriver: () => withCommitSignal(dialect.createDriver(), committed),
      createIntrospector: (kysely) => dialect.createIntrospector(kysely),
      createQueryCompiler: () => dialect.createQueryCompiler(),
    },
  });
  await sql.listen(channel, () => committed.fire(), () => committed.fire());
  return {
    kind: "postgres",
    tables: <Tables>() => db as unknown as Kysely<Tables>,
    migrate: (owner, migrations) => migrate(db, { owner, migrations, kind: "postgres" }),
    onCommit: (listener) => committed.listen(listener),
    announce: async <Tables>(trx: Transaction<Tables>) => {
      await trx.executeQuery(CompiledQuery.raw(`select pg_notify('${channel}', '')`));
    },
    probe: async () => {
      const started = performance.now();
      await db.executeQuery(pingQuery);
      return performance.now() - started;
    },
    sizeBytes: async () => {
      const [row] = await sql`select pg_database_size(current_database())::int8 as size`;
      return Number(row?.size ?? 0);
    },
    close: async () => {
      await db.destroy();
      await sql.end({ timeout: 5 });
    },
  };
}

function connect(settings: StorageSettings): postgres.Sql {
  return postgres(settings.url, {
    max: settings.pool_size,
    connect_timeout: 10,
    onnotice: () => {},
    // A sequence is a JavaScript number: 2^53 events are enough.
    types: { int8: { to: 20, from: [20], serialize: String, parse: Number } },
    connection: { application_name: "commandcenter" },
  }) as postgres.Sql;
}

/** An acknowledged event is on disk; a server that is set up otherwise is corrected where a session can, else named. */
async function demandDurability(sql: postgres.Sql, options: StorageOptions): Promise<void> {
  const [row] = await sql`
    select current_setting('synchronous_commit') as commit, current_setting('fsync') as fsync,
           current_setting('server_version_num')::int as version`;
  if (row?.commit === "off") {
    sql.options.connection = { ...sql.options.connection, synchronous_commit: "on" };
    await sql`set synchronous_commit = on`;
    options.warn("PostgreSQL has synchronous_commit=off; this agent's sessions use synchronous_commit=on");
  }
  if (row?.fsync === "off") {
    options.warn("PostgreSQL has fsync=off: acknowledged events do not survive a power loss");
  }
  if (Number(row?.version) < 140000) {
    options.warn("PostgreSQL is older than 14, which is not tested", { server_version_num: row?.version });
  }
}

function withCommitSignal(driver: Driver, committed: CommitSignal): Driver {
  const commit = driver.commitTransaction.bind(driver);
  driver.commitTransaction = async (connection) => {
    await commit(connection);
    committed.fire();
  };
  return driver;
}
