import { constants } from "node:fs";
import { type FileHandle, open, readlink } from "node:fs/promises";
import { join } from "node:path";
import process from "node:process";

/** A folder that stays what it is while it is held, whatever happens to its name. */
export interface PinnedFolder {
  readonly handle: FileHandle;
  /** Where it was found; for people, and where the system cannot pin. */
  readonly realPath: string;
  /** Leads to this folder and no other, on Linux also after it was renamed or replaced; valid for child processes, too. */
  readonly path: string;
  /** False where the system offers no such path (no /proc): then whoever opens something has to look again. */
  readonly isPinned: boolean;
}

let canPin: Promise<boolean> | undefined;

/** Whether `/proc` shows what is open; the same for the whole life of the process: one that is not dumpable may not look. */
export function canPinFolders(): Promise<boolean> {
  return canPin ??= readlink("/proc/self/fd/0").then(() => true, () => false);
}

/** Opens a folder, which must not be a link, as `openat` would. Rejects with ENOTDIR or ELOOP for all else. */
export async function pinFolder(at: string, realPath: string): Promise<PinnedFolder> {
  const handle = await open(at, constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW);
  const isPinned = await canPinFolders();
  const path = isPinned ? `/proc/${process.pid}/fd/${handle.fd}` : realPath;
  return { handle, realPath, path, isPinned };
}

/** The path of an entry of that folder. */
export function inside(folder: PinnedFolder, name: string): string {
  return join(folder.path, name);
}
