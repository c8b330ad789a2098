/** One row of a backup: column -> text, number or null, as the database had it. */
export type BackupRow = Readonly<Record<string, string | number | null>>;

/** Reads a table of a backup in the order of its primary key; nothing where the backup has no such table. */
export type BackupRows = (table: string) => AsyncIterable<BackupRow>;

/** What was found in a backup. */
export interface BackupFindings {
  /** What the manifest says about it, such as the head of a log. */
  readonly summary: Readonly<Record<string, unknown>>;
  /** What is wrong, as sentences; some at the most. */
  readonly faults: readonly string[];
}

/** What a backup has to know about a plugin beyond its tables, all of which it holds anyway. */
export interface PluginBackup {
  /** Files below the data folder that a restored agent cannot do without, each with a secret in it. */
  readonly keyFiles?: readonly string[];
  /** Looks whether the rows make sense together. */
  readonly inspect?: (rows: BackupRows) => Promise<BackupFindings>;
}
