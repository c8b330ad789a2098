import { type FileHandle, lstat, realpath } from "node:fs/promises";
import type { PathFault } from "./path_fault.ts";
import type { PinnedFolder } from "./pinned_folder.ts";

/** One look can be fooled by two swaps at the right moments; each further one makes that less likely. */
const looks = 5;

/**
 * For systems that cannot pin a folder: throws unless `realPath` is, and stays, free of links and leads to what is open.
 */
export async function verifyPlace(
  handle: FileHandle,
  { realPath, fault }: { realPath: string; fault: PathFault },
): Promise<void> {
  const { ino, dev } = await handle.stat();
  for (let look = 0; look < looks; look++) {
    const found = await lstat(realPath).catch(() => undefined);
    const real = await realpath(realPath).catch(() => undefined);
    if (found?.ino !== ino || found.dev !== dev || real !== realPath) throw fault.restless();
  }
}

/** The same for a folder, where it is needed. */
export async function verifyFolder(folder: PinnedFolder, fault: PathFault): Promise<void> {
  if (!folder.isPinned) await verifyPlace(folder.handle, { realPath: folder.realPath, fault });
}
