import { DatabaseSync } from "node:sqlite";
import { execute } from "./postgres.ts";

/** Every table of a database with its rows, each value as text, in an order of their own. */
export type AllRows = Readonly<Record<string, readonly string[]>>;

/** Reads everything from a SQLite file (its path) or a PostgreSQL database (its URL), past all code that is tested. */
export async function allRows(place: string): Promise<AllRows> {
  return place.startsWith("postgres") ? await allRowsOfPostgres(place) : allRowsOfSqlite(place);
}

function allRowsOfSqlite(path: string): AllRows {
  const database = new DatabaseSync(path, { readOnly: true });
  try {
    const tables = database.prepare("select name from sqlite_master where type = 'table'").all();
    const ours = tables.map(({ name }) => String(name)).filter((name) => !name.startsWith("sqlite_"));
    return Object.fromEntries(
      ours.toSorted().map((table) => [table, texts(database.prepare(`select * from ${table}`).all())]),
    );
  } finally {
    database.close();
  }
}

async function allRowsOfPostgres(url: string): Promise<AllRows> {
  const tables = await execute(
    url,
    "select table_name as name from information_schema.tables where table_schema = 'public'",
  );
  const rows: [string, string[]][] = [];
  for (const name of tables.map(({ name }) => String(name)).toSorted()) {
    rows.push([name, texts(await execute(url, `select * from ${name}`))]);
  }
  return Object.fromEntries(rows);
}

function texts(rows: readonly Readonly<Record<string, unknown>>[]): string[] {
  const text = (row: Readonly<Record<string, unknown>>) =>
    JSON.stringify(
      Object.entries(row).toSorted(([a], [b]) => a < b ? -1 : 1)
        .map(([column, value]) => [column, value === null ? null : String(value)]),
    );
  return rows.map(text).toSorted();
}
