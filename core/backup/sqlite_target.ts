import { existsSync } from "node:fs";
import { mkdir, open, rename, rm } from "node:fs/promises";
import { dirname } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { syncFolder } from "../data_dir.ts";
import { ConfigurationError } from "../errors.ts";
import { sqlitePath } from "../storage/open_storage.ts";
import { openSqlite } from "../storage/sqlite.ts";
import type { BackupManifest } from "./backup_manifest.ts";
import { bytesOf } from "./bytes_text.ts";
import { demandRows, type RestoredTables, type RestoreTarget } from "./restore_target.ts";

type Row = Readonly<Record<string, string | number | null>>;

/** A SQLite file, made beside its final name. */
export class SqliteTarget implements RestoreTarget {
  readonly #path: string;
  readonly #temporary: string;

  constructor(url: string, dataDir: string) {
    this.#path = sqlitePath(url, dataDir);
    this.#temporary = `${this.#path}.restoring`;
  }

  async prepare(): Promise<void> {
    for (const path of [this.#path, `${this.#path}-wal`]) {
      if (!existsSync(path)) continue;
      throw new ConfigurationError([
        `Cannot restore into "${path}": there is a database already; move it away, ` +
        "with its -wal and -shm, or restore into another node.data_dir",
      ]);
    }
    await this.#remove();
    await mkdir(dirname(this.#path), { recursive: true, mode: 0o700 });
  }

  async fill(tables: RestoredTables, place: () => Promise<void>): Promise<void> {
    const storage = openSqlite(this.#temporary);
    try {
      for (const { name, migrations } of tables.owners) await storage.migrate(name, migrations);
    } finally {
      await storage.close();
    }
    await this.#load(tables);
    await sync(this.#temporary);
    await place();
    await rename(this.#temporary, this.#path);
    await syncFolder(dirname(this.#path));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#remove();
  }

  async #load({ manifest, lines, onRows }: RestoredTables): Promise<void> {
    const database = new DatabaseSync(this.#temporary);
    try {
      // Nobody needs half of this file: it is synced once, at the end.
      database.exec("pragma journal_mode = off; pragma synchronous = off; pragma cache_size = -65536");
      database.exec("begin");
      for (const table of manifest.tables) {
        let rows = 0;
        const insert = prepareInsert(database, table);
        for await (const page of lines(table.name)) {
          for (const line of page) insert(JSON.parse(line));
          rows += page.length;
          onRows(page.length);
        }
        demandRows(table, rows);
      }
      database.exec("commit; pragma journal_mode = wal");
    } finally {
      database.close();
    }
  }

  async #remove(): Promise<void> {
    for (const end of ["", "-wal", "-shm", "-journal"]) await rm(this.#temporary + end, { force: true });
  }
}

/** Empties the table of what its migrations put there; the function inserts one row. */
function prepareInsert(
  database: DatabaseSync,
  { name, byte_columns: byteColumns }: BackupManifest["tables"][number],
): (row: Row) => void {
  database.exec(`delete from "${name}"`);
  const columns = database.prepare(`pragma table_info("${name}")`).all().map((column) => String(column.name));
  const statement = database.prepare(
    `insert into "${name}" (${columns.map((column) => `"${column}"`).join(", ")}) ` +
      `values (${columns.map(() => "?").join(", ")})`,
  );
  const isBytes = columns.map((column) => byteColumns.includes(column));
  return (row) => {
    statement.run(...columns.map((column, index) => {
      const value = row[column];
      if (value === undefined) {
        throw new Error(`Cannot restore the table "${name}": a row has no "${column}"`);
      }
      return isBytes[index] ? bytesOf(value) : value;
    }));
  };
}

async function sync(path: string): Promise<void> {
  const file = await open(path, "r+");
  try {
    await file.sync();
  } finally {
    await file.close();
  }
}
