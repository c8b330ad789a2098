import type { DatabaseSync } from "node:sqlite";
import { messageOf } from "../errors.ts";
import { pause } from "../supervise.ts";
import { WorkSize } from "../work_size.ts";
import type { SqliteDriver } from "./sqlite_driver.ts";
import type { StorageOptions } from "./storage.ts";

/** Pages that stay free inside the file for what comes next: giving back what is taken again at once helps nobody. */
const reservePages = 256;

export interface SpaceOptions {
  readonly path: string;
  readonly warn: StorageOptions["warn"];
  /** An older file up to this size is rewritten once, in bytes. */
  readonly compactBelowBytes: number;
}

/**
 * Sees to it that the file can shrink: a new one keeps account of its pages from the start, an older one has to be
 * rewritten for that. Before anything else is done with the file.
 */
export function prepareSpace(database: DatabaseSync, { path, warn, compactBelowBytes }: SpaceOptions): void {
  const pages = numberOf(database, "page_count");
  if (pages === 0) return database.exec("pragma auto_vacuum = incremental");
  if (numberOf(database, "auto_vacuum") !== 0) return;
  const sizeBytes = pages * numberOf(database, "page_size");
  if (sizeBytes > compactBelowBytes) {
    warn(
      "The database file is of an older kind that never gets smaller: what is removed makes room for new events only. " +
        "Set storage.compact_below above its size for one start, which then takes a while and as much free space again",
      { file: path, size_bytes: sizeBytes },
    );
    return;
  }
  try {
    database.exec("pragma auto_vacuum = incremental; vacuum");
  } catch (error) {
    warn("The database file could not be rewritten, so that it would get smaller; it is as it was", {
      file: path,
      error: messageOf(error),
    });
  }
}

/** Gives free pages of the file back to the operating system, in steps of a few milliseconds between other writers. */
export async function releasePages(driver: SqliteDriver, signal: AbortSignal): Promise<void> {
  const step = new WorkSize({ first: 32, least: 8, most: 2048 });
  let released = false;
  while (!signal.aborted) {
    const started = performance.now();
    const { before, after } = await driver.exclusively((database) => {
      const before = numberOf(database, "freelist_count");
      const count = Math.min(step.size, before - reservePages);
      // One row for each page: only who reads them all has them all released.
      if (count > 0) database.prepare(`pragma incremental_vacuum(${count})`).all();
      return { before, after: numberOf(database, "freelist_count") };
    });
    if (after >= before) break;
    released = true;
    // Little by little, as the file gets smaller only when the log of writes is worked into it.
    await driver.exclusively((database) => database.prepare("pragma wal_checkpoint(passive)").all());
    const tookMs = performance.now() - started;
    step.took(tookMs);
    await pause(tookMs, signal);
  }
  if (released) await driver.exclusively(truncateLog);
}

/** Gives the log's own space back too; if a reader is in the way, at another time. */
function truncateLog(database: DatabaseSync): void {
  const patienceMs = numberOf(database, "busy_timeout");
  database.exec("pragma busy_timeout = 0");
  try {
    database.prepare("pragma wal_checkpoint(truncate)").all();
  } finally {
    database.exec(`pragma busy_timeout = ${patienceMs}`);
  }
}

function numberOf(database: DatabaseSync, pragma: string): number {
  const row = database.prepare(`pragma ${pragma}`).get() ?? {};
  return Number(Object.values(row)[0]);
}
