import { constants } from "node:fs";
import { type FileHandle, lstat, open, readlink } from "node:fs/promises";
import { join } from "node:path";
import { isKnownExact } from "./exact_name.ts";
import { canPinFolders } from "./pinned_folder.ts";

/** Never through a link at the end, and never waiting for the other end of a FIFO. */
export const readFlags: number = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK |
  constants.O_NOCTTY;

/**
 * Opens a file in one go where its path holds no links, several times faster than step by step: the system tells
 * afterwards what was opened, and anything but the very path that was asked for is closed unread. Undefined then.
 */
export async function openDirectly(root: string, names: readonly string[]): Promise<FileHandle | undefined> {
  const path = join(root, ...names);
  if (names.length === 0 || !isKnownExact(root, path) || !await canPinFolders()) return undefined;
  const found = await lstat(path).catch(() => undefined);
  if (!found?.isFile()) return undefined;
  const file = await open(path, readFlags).catch(() => undefined);
  if (file === undefined) return undefined;
  const opened = await readlink(`/proc/self/fd/${file.fd}`).catch(() => undefined);
  if (opened === path) return file;
  await file.close();
  return undefined;
}
