import { link, mkdir, open, rename, rm } from "node:fs/promises";
import { dirname } from "node:path";
import { newId } from "./clock.ts";
import { ConfigurationError } from "./errors.ts";

/** Makes the data folder (mode 0700) where it is missing. Rejects with ConfigurationError where it cannot be made. */
export async function prepareDataDir(dataDir: string): Promise<void> {
  try {
    await mkdir(dataDir, { recursive: true, mode: 0o700 });
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    const taken = code === "EEXIST" || code === "ENOTDIR";
    const state = taken ? "a file is in the way" : `not allowed or not possible (${code ?? error})`;
    throw new ConfigurationError(
      [`Cannot create the data folder "${dataDir}": ${state}; set node.data_dir to a folder of your own`],
      { cause: error },
    );
  }
}

/**
 * Makes a file that holds all of `text`, on disk, mode 0600. Resolves to false, and leaves it alone, where it is there
 * already. Rejects with the error of the file system.
 */
export async function createFileAtomically(path: string, text: string): Promise<boolean> {
  const temporary = `${path}.${newId()}.tmp`;
  try {
    await writeSynced(temporary, text);
    if (!await nameIfFree(temporary, path)) return false;
  } finally {
    await rm(temporary, { force: true });
  }
  await syncFolder(dirname(path));
  return true;
}

/** Resolves when the names in a folder are on disk: a new file is kept only when its folder is. */
export async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, "r");
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}

async function writeSynced(path: string, text: string): Promise<void> {
  const file = await open(path, "wx", 0o600);
  try {
    await file.writeFile(text);
    await file.sync();
  } finally {
    await file.close();
  }
}

/** Gives a finished file a second name, its final one. Resolves to false where another file has that. */
export async function nameIfFree(temporary: string, path: string): Promise<boolean> {
  try {
    await link(temporary, path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EEXIST") return false;
    await rename(temporary, path); // a file system without hard links (FAT, some mounts of containers)
  }
  return true;
}
