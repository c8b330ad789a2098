import { statfsSync } from "node:fs";
import { stat } from "node:fs/promises";
import { dirname } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { Kysely, SqliteAdapter, SqliteIntrospector, SqliteQueryCompiler } from "kysely";
import { compilePattern } from "../bus/subject.ts";
import { messageOf } from "../errors.ts";
import { CommitQueues } from "./commit_queues.ts";
import { CommitSignal } from "./commit_signal.ts";
import { FullDisk } from "./full_disk.ts";
import { migrate } from "./migrate.ts";
import { SqliteDriver } from "./sqlite_driver.ts";
import { prepareSpace, releasePages, type SpaceOptions } from "./sqlite_space.ts";
import type { Storage } from "./storage.ts";
import { isDamage, StorageDamaged } from "./storage_damaged.ts";

/** Structural faults named by one inspection. */
const maxFaults = 10;
/** The log of writes keeps this size between two checkpoints; what a large transaction needed beyond is given back. */
const maxLogBytes = 8 * 1024 * 1024;
/** With less free space than this an error of the disk is a want of space; in bytes. */
const noSpaceBytes = 128 * 1024;

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

/**
 * Opens (or makes) a SQLite file. A commit is on disk (fsync) when its promise resolves. Throws StorageDamaged where the
 * file is no database; later queries reject with it, and so does `probe` from then on.
 */
export function openSqlite(path: string, options: Partial<Omit<SpaceOptions, "path">> = {}): Storage {
  const { warn = () => {}, compactBelowBytes = 0 } = options;
  const { writer, reader } = openConnections({ path, warn, compactBelowBytes });
  const committed = new CommitSignal();
  const queues = new CommitQueues();
  const disk = new FullDisk({
    isFull: (error) => isFull(error, path),
    onFull: () => warn("the disk is full: nothing can be stored", { file: path }),
  });
  const onCommit = () => {
    disk.written();
    committed.fire();
  };
  let damage: StorageDamaged | undefined;
  const explain = (error: unknown) => {
    if (!isDamage(error)) return disk.translate(error);
    if (!damage) warn("the database file is damaged", { file: path, error });
    return damage ??= new StorageDamaged(path, error);
  };
  const connections = new SqliteDriver({ writer, reader, onCommit, explain });
  const driver = queues.attach(connections, onCommit);
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
    probe: async () => {
      if (damage) throw damage;
      const started = performance.now();
      if (disk.problem) await connections.exclusively(tryWriting).then(() => disk.written());
      else reader.prepare("select 1 from sqlite_master limit 1").all();
      return performance.now() - started;
    },
    reclaim: (_tables, signal) => releasePages(connections, signal),
    inspect: async ({ maxBytes }) => {
      if (await fileSize(path) > maxBytes) return undefined;
      return quickCheck(reader);
    },
    sizeBytes: async () => await fileSize(path) + await fileSize(`${path}-wal`),
    close: () => db.destroy(),
  };
}

function openConnections(options: SpaceOptions): { writer: DatabaseSync; reader: DatabaseSync } {
  const { path } = options;
  const writer = new DatabaseSync(path);
  try {
    prepareSpace(writer, options);
    writer.exec("pragma journal_mode = wal");
    configure(writer);
    const reader = new DatabaseSync(path, { readOnly: true });
    configure(reader);
    return { writer, reader };
  } catch (error) {
    writer.close();
    throw isDamage(error) ? new StorageDamaged(path, error) : error;
  }
}

function quickCheck(database: DatabaseSync): string[] {
  try {
    const rows = database.prepare(`pragma quick_check(${maxFaults})`).all();
    const lines = rows.flatMap((row) => String(row.quick_check).split("\n"));
    return lines.filter((line) => line !== "ok" && !line.startsWith("***")); // but for the headings
  } catch (error) {
    if (!isDamage(error)) throw error;
    return [messageOf(error)];
  }
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
  database.exec(`pragma journal_size_limit = ${maxLogBytes}`);
}

/** The smallest write there is: fails as long as the disk is full. */
function tryWriting(database: DatabaseSync): void {
  const { user_version } = database.prepare("pragma user_version").get() as { user_version: number };
  database.exec(`pragma user_version = ${1 - user_version}`);
}

/** By its text, since node:sqlite passes no code on everywhere; while the disk is full SQLite also fails in other words. */
function isFull(error: unknown, path: string): boolean {
  const text = messageOf(error);
  if (text.includes("database or disk is full")) return true;
  if (!/disk I\/O error|unable to open database file/.test(text)) return false;
  const { bavail, bsize } = statfsSync(dirname(path));
  return bavail * bsize < noSpaceBytes;
}

async function fileSize(path: string): Promise<number> {
  try {
    return (await stat(path)).size;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return 0; // the WAL comes and goes
    throw error;
  }
}
