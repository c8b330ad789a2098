import type { StorageSettings } from "../storage/settings.ts";
import type { StorageOptions } from "../storage/storage.ts";
import type { BackupManifest } from "./backup_manifest.ts";
import type { DataOwner } from "./data_owners.ts";

/** What a target is filled with. */
export interface RestoredTables {
  readonly manifest: BackupManifest;
  /** Those who had tables, with the migrations that had been run. */
  readonly owners: readonly DataOwner[];
  /** Rows of a table as lines of JSON, part by part. */
  readonly lines: (table: string) => AsyncIterable<readonly string[]>;
  readonly onRows: (rows: number) => void;
}

/** An empty database that a backup is put into, all of it or nothing. */
export interface RestoreTarget extends AsyncDisposable {
  /** Rejects with ConfigurationError where there is something already; what an interrupted restore left is removed. */
  prepare(): Promise<void>;
  /**
   * Makes the tables as they were, and fills them. `place` is called when the rest can only succeed: what it does is part
   * of the whole as well.
   */
  fill(tables: RestoredTables, place: () => Promise<void>): Promise<void>;
}

/** The database that `settings.url` names. */
export async function openRestoreTarget(
  settings: StorageSettings,
  options: StorageOptions & { readonly owners: readonly DataOwner[] },
): Promise<RestoreTarget> {
  if (settings.url.startsWith("sqlite:")) {
    const { SqliteTarget } = await import("./sqlite_target.ts");
    return new SqliteTarget(settings.url, options.dataDir);
  }
  const { PostgresTarget } = await import("./postgres_target.ts");
  return await PostgresTarget.open(settings, options);
}

/** Fails where a table did not get as many rows as the backup was said to hold. */
export function demandRows(table: BackupManifest["tables"][number], rows: number): void {
  if (rows === table.rows) return;
  throw new Error(
    `Cannot restore the table "${table.name}": it has ${rows} rows in the backup, and should have ${table.rows}`,
  );
}
