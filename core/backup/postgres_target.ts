import { type Kysely, sql, type Transaction } from "kysely";
import { ConfigurationError } from "../errors.ts";
import { migrate } from "../storage/migrate.ts";
import { openStorage, withoutPassword } from "../storage/open_storage.ts";
import type { StorageSettings } from "../storage/settings.ts";
import type { Storage, StorageOptions } from "../storage/storage.ts";
import type { BackupManifest } from "./backup_manifest.ts";
import { type DataOwner, tablePrefix } from "./data_owners.ts";
import { tableColumns } from "./postgres_columns.ts";
import { demandRows, type RestoredTables, type RestoreTarget } from "./restore_target.ts";

/** Is there while the files that belong to the rows may still be missing. */
const marker = "commandcenter_restore";

/** A PostgreSQL database, filled by one transaction. */
export class PostgresTarget implements RestoreTarget {
  readonly #storage: Storage;
  readonly #shown: string;
  readonly #owners: readonly DataOwner[];

  private constructor(storage: Storage, options: { shown: string; owners: readonly DataOwner[] }) {
    this.#storage = storage;
    this.#shown = options.shown;
    this.#owners = options.owners;
  }

  static async open(
    settings: StorageSettings,
    options: StorageOptions & { readonly owners: readonly DataOwner[] },
  ): Promise<PostgresTarget> {
    const storage = await openStorage({ ...settings, pool_size: 2 }, options);
    return new PostgresTarget(storage, { shown: withoutPassword(settings.url), owners: options.owners });
  }

  async prepare(): Promise<void> {
    const tables = await this.#tables(this.#storage.tables());
    if (tables.length === 0 || tables.includes(marker)) return;
    throw new ConfigurationError([
      `Cannot restore into "${this.#shown}": it holds ${tables[0]} already; ` +
      "create an empty database, and name that in storage.url",
    ]);
  }

  async fill(tables: RestoredTables, place: () => Promise<void>): Promise<void> {
    const { manifest, owners, lines, onRows } = tables;
    const db = this.#storage.tables<unknown>();
    await db.transaction().execute(async (trx) => {
      for (const left of await this.#tables(trx)) {
        await sql`drop table ${sql.table(left)} cascade`.execute(trx);
      }
      await sql`create table ${sql.table(marker)} (id integer)`.execute(trx);
      for (const { name, migrations } of owners) {
        await migrate(trx, { owner: name, migrations, kind: "postgres" });
      }
      for (const table of manifest.tables) {
        let rows = 0;
        await sql`delete from ${sql.table(table.name)}`.execute(trx);
        const insert = await prepareInsert(trx, table);
        for await (const page of lines(table.name)) {
          await insert(page);
          rows += page.length;
          onRows(page.length);
        }
        demandRows(table, rows);
      }
    });
    await place();
    await sql`drop table ${sql.table(marker)}`.execute(db);
    await this.#storage.reclaim(manifest.tables.map(({ name }) => name), new AbortController().signal);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#storage.close();
  }

  /** Tables of an agent that are there. */
  async #tables(db: Kysely<unknown>): Promise<string[]> {
    const { rows } = await sql<{ name: string }>`
      select table_name as name from information_schema.tables
      where table_schema = current_schema() and table_type = 'BASE TABLE'`.execute(db);
    return rows.map(({ name }) => name)
      .filter((name) => name === marker || this.#owners.some((owner) => name.startsWith(tablePrefix(owner))));
  }
}

/** The function inserts lines of JSON, which only the server takes apart. */
async function prepareInsert(
  trx: Transaction<unknown>,
  { name: table }: BackupManifest["tables"][number],
): Promise<(lines: readonly string[]) => Promise<void>> {
  const columns = await tableColumns(trx, table);
  const names = sql.join(columns.map(({ name }) => sql.ref(name)));
  const isJson = (type: string) => /^jsonb?$/.test(type);
  const shape = sql.join(
    columns.map(({ name, type }) => sql`${sql.ref(name)} ${sql.raw(isJson(type) ? "text" : type)}`),
  );
  const values = sql.join(
    columns.map(({ name, type }) => sql`${sql.ref(name)}${sql.raw(isJson(type) ? `::${type}` : "")}`),
  );
  return async (lines) => {
    const json = `[${lines.join(",")}]`;
    await sql`insert into ${sql.table(table)} (${names})
      select ${values} from json_to_recordset(${json}::json) as line(${shape})`.execute(trx);
  };
}
