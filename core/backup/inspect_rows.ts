import type { BackupFile } from "./backup_file.ts";
import type { BackupManifest } from "./backup_manifest.ts";
import type { DataOwner } from "./data_owners.ts";

/** What the rows of a backup amount to. */
export type Inspection = Pick<BackupManifest, "summaries" | "faults">;

/**
 * Reads the tables of a backup again: as many rows as there should be, and for each owner whether they make sense. Rejects
 * where a part is not what was written.
 */
export async function inspectRows(file: BackupFile, owners: readonly DataOwner[]): Promise<Inspection> {
  const { manifest } = file;
  const counts = new Map<string, number>();
  const faults: string[] = [];
  const summaries: BackupManifest["summaries"] = {};
  async function* rows(table: string) {
    let count = 0;
    for await (const row of file.rows(table)) {
      count++;
      yield row;
    }
    counts.set(table, count);
  }
  for (const owner of owners) {
    const migrated = manifest.owners.find(({ name }) => name === owner.name);
    // Tables of an older program: the next start brings them up to date, and looks at them.
    const isCurrent = migrated?.migrations.join() === Object.keys(owner.migrations).toSorted().join();
    if (!owner.inspect || !isCurrent) continue;
    const found = await owner.inspect(rows);
    summaries[owner.name] = found.summary;
    faults.push(...found.faults);
  }
  for (const table of manifest.tables) {
    if (!counts.has(table.name)) await readAll(rows(table.name));
    const count = counts.get(table.name) ?? 0;
    if (count !== table.rows) {
      faults.push(`The table ${table.name} has ${count} rows in place of ${table.rows}`);
    }
  }
  return { summaries, faults };
}

async function readAll(rows: AsyncIterable<unknown>): Promise<void> {
  for await (const row of rows) {
    if (typeof row !== "object") throw new Error(`Cannot read "${row}": it is no row`);
  }
}
