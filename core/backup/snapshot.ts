import type { StorageSettings } from "../storage/settings.ts";
import type { Storage, StorageOptions } from "../storage/storage.ts";

/** A database as it is at one moment, whatever is written to it meanwhile. */
export interface Snapshot extends AsyncDisposable {
  readonly kind: Storage["kind"];
  /** All tables. */
  readonly tables: readonly string[];
  /** Faults in the structure of the file; none on PostgreSQL, which has tools of its own for it. */
  readonly faults: readonly string[];
  /** Rows of these tables, roughly: for a progress bar. */
  countRows(tables: readonly string[]): Promise<number>;
  /** Columns that hold bytes. */
  byteColumns(table: string): Promise<readonly string[]>;
  /** Rows in the order of the primary key, each as one line of JSON; bytes stand as `\x` and hexadecimal digits. */
  lines(table: string): AsyncIterable<readonly string[]>;
}

/** Opens a snapshot of the database that `settings.url` names, which has to be there. */
export async function openSnapshot(settings: StorageSettings, options: StorageOptions): Promise<Snapshot> {
  if (settings.url.startsWith("sqlite:")) {
    const { openSqliteSnapshot } = await import("./sqlite_snapshot.ts");
    return openSqliteSnapshot(settings.url, options.dataDir);
  }
  const { openPostgresSnapshot } = await import("./postgres_snapshot.ts");
  return await openPostgresSnapshot(settings, options);
}
