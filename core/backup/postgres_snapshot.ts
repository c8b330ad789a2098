import { type Kysely, sql } from "kysely";
import { openStorage } from "../storage/open_storage.ts";
import type { StorageSettings } from "../storage/settings.ts";
import type { Storage, StorageOptions } from "../storage/storage.ts";
import { tableColumns } from "./postgres_columns.ts";
import type { Snapshot } from "./snapshot.ts";

/** Text that one fetch should bring, in UTF-16 code units; and rows at the most. */
const fetchLength = 1024 * 1024;
const maxFetchRows = 2000;
const firstFetchRows = 100;

/**
 * The database as it is at the first query, by a transaction that only reads: nobody waits for it, and `vacuum` keeps what
 * it may still have to show.
 */
export async function openPostgresSnapshot(
  settings: StorageSettings,
  options: StorageOptions,
): Promise<Snapshot> {
  const storage = await openStorage({ ...settings, pool_size: 2 }, options);
  const { promise: closed, resolve: close } = Promise.withResolvers<void>();
  const { promise: opened, resolve, reject } = Promise.withResolvers<Kysely<unknown>>();
  const transaction = storage.tables<unknown>().transaction()
    .setIsolationLevel("repeatable read").setAccessMode("read only")
    .execute(async (trx) => {
      resolve(trx);
      await closed;
    });
  transaction.catch(reject);
  try {
    const trx = await opened;
    const { rows } = await sql<{ name: string }>`
      select table_name as name from information_schema.tables
      where table_schema = current_schema() and table_type = 'BASE TABLE' order by table_name`.execute(trx);
    return new PostgresSnapshot(trx, {
      tables: rows.map(({ name }) => name),
      close: async () => {
        close();
        await transaction.finally(() => storage.close());
      },
    });
  } catch (error) {
    close();
    await transaction.catch(() => {}); // the error that is thrown is the first one
    await storage.close();
    throw error;
  }
}

class PostgresSnapshot implements Snapshot {
  readonly kind: Storage["kind"] = "postgres";
  readonly tables: readonly string[];
  readonly faults = [];
  readonly #trx: Kysely<unknown>;
  readonly #close: () => Promise<void>;

  constructor(trx: Kysely<unknown>, options: { tables: readonly string[]; close: () => Promise<void> }) {
    this.#trx = trx;
    this.tables = options.tables;
    this.#close = options.close;
  }

  async countRows(tables: readonly string[]): Promise<number> {
    const { rows: [row] } = await sql<{ rows: number }>`
      select coalesce(sum(greatest(reltuples, 0)), 0)::float8 as rows from pg_class
      where relnamespace = current_schema()::regnamespace and relname = any(${tables})`.execute(this.#trx);
    return row?.rows ?? 0;
  }

  async byteColumns(table: string): Promise<readonly string[]> {
    const columns = await tableColumns(this.#trx, table);
    return columns.filter(({ type }) => type === "bytea").map(({ name }) => name);
  }

  async *lines(table: string): AsyncGenerator<string[]> {
    const columns = await tableColumns(this.#trx, table);
    // JSON as text, as SQLite has it.
    const chosen = sql.join(
      columns.map(({ name, type }) => sql`${sql.ref(name)}${sql.raw(/^jsonb?$/.test(type) ? "::text" : "")}`),
    );
    const key = columns.filter(({ key_place: place }) => place > 0).toSorted((a, b) =>
      a.key_place - b.key_place
    );
    const order = key.length === 0 ? sql`` : sql` order by ${sql.join(key.map(({ name }) => sql.ref(name)))}`;
    await sql`declare backup_rows no scroll cursor for
      select row_to_json(line)::text as line from (select ${chosen} from ${sql.table(table)}${order}) line`
      .execute(this.#trx);
    for (let count = firstFetchRows;;) {
      const { rows } = await sql<{ line: string }>`fetch ${sql.raw(String(count))} from backup_rows`.execute(
        this.#trx,
      );
      if (rows.length === 0) break;
      const lines = rows.map(({ line }) => line);
      yield lines;
      const perRow = lines.reduce((sum, line) => sum + line.length, 0) / lines.length;
      count = Math.min(Math.max(Math.round(fetchLength / perRow), 1), maxFetchRows);
    }
    await sql`close backup_rows`.execute(this.#trx);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#close();
  }
}
