import { existsSync } from "node:fs";
import { mkdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { syncFolder } from "../data_dir.ts";
import { ConfigurationError } from "../errors.ts";

/** Is there from the first to the last step of a restore. */
function markerOf(dataDir: string): string {
  return join(dataDir, "restoring");
}

/** Throws ConfigurationError where a restore into this data folder has not come to its end. */
export function refuseHalfRestored(dataDir: string): void {
  if (!isHalfRestored(dataDir)) return;
  throw new ConfigurationError([
    `Cannot use the data folder "${dataDir}": a restore into it was interrupted; ` +
    "run `commandcenter restore` again, which begins anew, or empty the folder",
  ]);
}

/** Whether a restore into this folder was interrupted. */
export function isHalfRestored(dataDir: string): boolean {
  return existsSync(markerOf(dataDir));
}

/** Says on disk that a restore has begun. */
export async function markHalfRestored(dataDir: string): Promise<void> {
  await mkdir(markerOf(dataDir), { recursive: true, mode: 0o700 });
  await syncFolder(dataDir);
}

/** Says on disk that the restore is complete, or that nothing is left of it. */
export async function unmarkHalfRestored(dataDir: string): Promise<void> {
  await rm(markerOf(dataDir), { recursive: true, force: true });
  await syncFolder(dataDir);
}
