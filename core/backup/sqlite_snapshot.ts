import { existsSync } from "node:fs";
import { DatabaseSync } from "node:sqlite";
import { setImmediate as nextTurn } from "node:timers/promises";
import { ConfigurationError } from "../errors.ts";
import { sqlitePath } from "../storage/open_storage.ts";
import { isDamage, StorageDamaged } from "../storage/storage_damaged.ts";
import { bytesText } from "./bytes_text.ts";
import type { Snapshot } from "./snapshot.ts";

/** Rows handed on at once. */
const pageRows = 500;
/** Structural faults that are named. */
const maxFaults = 10;

/**
 * The file as the last commit left it, by a read transaction of this process: the agent goes on writing, and its log of
 * writes grows until the snapshot is closed.
 */
export function openSqliteSnapshot(url: string, dataDir: string): Snapshot {
  const path = sqlitePath(url, dataDir);
  if (!existsSync(path)) {
    throw new ConfigurationError([
      `Cannot back up "${path}": there is no such database; has an agent with this configuration ever run?`,
    ]);
  }
  const explain = (error: unknown) =>
    isDamage(error)
      ? new ConfigurationError(new StorageDamaged(path, error).advice, { cause: error })
      : error;
  const database = new DatabaseSync(path, { readOnly: true });
  try {
    database.exec("pragma busy_timeout = 5000; pragma mmap_size = 268435456; begin");
    const tables = database.prepare(
      "select name from sqlite_master where type = 'table' and name not like 'sqlite\\_%' escape '\\' order by name",
    ).all().map(({ name }) => String(name)); // the first read is the moment of the snapshot
    return new SqliteSnapshot(database, { tables, explain });
  } catch (error) {
    database.close();
    throw explain(error);
  }
}

class SqliteSnapshot implements Snapshot {
  readonly kind = "sqlite";
  readonly tables: readonly string[];
  readonly #database: DatabaseSync;
  readonly #explain: (error: unknown) => unknown;

  constructor(
    database: DatabaseSync,
    options: { tables: readonly string[]; explain: (error: unknown) => unknown },
  ) {
    this.#database = database;
    this.tables = options.tables;
    this.#explain = options.explain;
  }

  get faults(): readonly string[] {
    try {
      const rows = this.#database.prepare(`pragma quick_check(${maxFaults})`).all();
      const lines = rows.flatMap((row) => String(row.quick_check).split("\n"));
      return lines.filter((line) => line !== "ok" && !line.startsWith("***")); // but for the headings
    } catch (error) {
      throw this.#explain(error);
    }
  }

  countRows(tables: readonly string[]): Promise<number> {
    const count = (table: string) =>
      this.#database.prepare(`select count(*) as n from ${quoted(table)}`).get()!.n;
    return Promise.resolve(tables.reduce((sum, table) => sum + Number(count(table)), 0));
  }

  byteColumns(table: string): Promise<readonly string[]> {
    return Promise.resolve(
      this.#columns(table).filter(({ type }) => /blob/i.test(String(type))).map(({ name }) => String(name)),
    );
  }

  async *lines(table: string): AsyncGenerator<string[]> {
    const key = this.#columns(table).filter(({ pk }) => Number(pk) > 0)
      .toSorted((a, b) => Number(a.pk) - Number(b.pk)).map(({ name }) => quoted(String(name)));
    const order = key.length === 0 ? "" : ` order by ${key.join(", ")}`;
    try {
      let page: string[] = [];
      for (const row of this.#database.prepare(`select * from ${quoted(table)}${order}`).iterate()) {
        page.push(JSON.stringify(row, bytesText));
        if (page.length < pageRows) continue;
        yield page;
        page = [];
        await nextTurn(); // signals are heard
      }
      if (page.length > 0) yield page;
    } catch (error) {
      throw this.#explain(error);
    }
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.#database.close();
    return Promise.resolve();
  }

  #columns(table: string) {
    return this.#database.prepare(`pragma table_info(${quoted(table)})`).all();
  }
}

function quoted(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}
