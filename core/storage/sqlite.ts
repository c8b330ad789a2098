import { stat } from "node:fs/promises";
import { DatabaseSync } from "node:sqlite";
import { Kysely, SqliteAdapter, SqliteIntrospector, SqliteQueryCompiler } from "kysely";
import { compilePattern } from "../bus/subject.ts";
import { CommitQueues } from "./commit_queues.ts";
import { CommitSignal } from "./commit_signal.ts";
import { migrate } from "./migrate.ts";
import { SqliteDriver } from "./sqlite_driver.ts";
import type { Storage } from "./storage.ts";

/**
 * SQLite rolls DDL back like anything else; Kysely's own adapter does not say so, and then a failed migration leaves
 * half behind. It also serialises everything on one connection, where our driver lets reads pass a writer.
 */
class WalSqliteAdapter extends SqliteAdapter {
  override get supportsMultipleConnections(): boolean {
    return true;
  }

  override get supportsTransactionalDdl(): boolean {
    return true;
  }
}

/** Opens (or makes) a SQLite file. A commit is on disk (fsync) when its promise resolves. */
export function openSqlite(path: string): Storage {
  const writer = new DatabaseSync(path);
  writer.exec("pragma journal_mode = wal");
  configure(writer);
  const reader = new DatabaseSync(path, { readOnly: true });
  configure(reader);
  const committed = new CommitSignal();
  const queues = new CommitQueues();
  const onCommit = () => committed.fire();
  const driver = queues.attach(new SqliteDriver({ writer, reader, onCommit }), onCommit);
  const db = new Kysely<unknown>({
    dialect: {
      createAdapter: () => new WalSqliteAdapter(),
      createDriver: () => driver,
      createIntrospector: (kysely) => new SqliteIntrospector(kysely),
      createQueryCompiler: () => new SqliteQueryCompiler(),
    },
  });
  return {
    kind: "sqlite",
    tables: <Tables>() => db as unknown as Kysely<Tables>,
    migrate: (owner, migrations) => migrate(db, { owner, migrations, kind: "sqlite" }),
    onCommit: (listener) => committed.listen(listener),
    announce: () => Promise.resolve(),
    beforeCommit: (trx, entry) => queues.put(trx, entry),
    probe: () => {
      const started = performance.now();
      reader.prepare("select 1 from sqlite_master limit 1").all();
      return Promise.resolve(performance.now() - started);
    },
    sizeBytes: async () => await fileSize(path) + await fileSize(`${path}-wal`),
    close: () => db.destroy(),
  };
}

function configure(database: DatabaseSync): void {
  let last = { pattern: "", matches: (_subject: string) => false };
  // The one matcher, also inside SQL: what a query finds and what a live stream passes on is the same by construction.
  database.function("subject_matches", { deterministic: true }, (pattern, subject) => {
    if (last.pattern !== pattern) {
      last = { pattern: String(pattern), matches: compilePattern(String(pattern)) };
    }
    return last.matches(String(subject)) ? 1 : 0;
  });
  database.exec("pragma synchronous = full; pragma foreign_keys = on; pragma busy_timeout = 5000");
  database.exec("pragma cache_size = -65536; pragma temp_store = memory; pragma mmap_size = 268435456");
}

async function fileSize(path: string): Promise<number> {
  try {
    return (await stat(path)).size;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return 0; // the WAL comes and goes
    throw error;
  }
}
