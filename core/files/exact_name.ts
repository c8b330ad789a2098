import { lstat, readdir } from "node:fs/promises";
import { dirname } from "node:path";
import { inside, type PinnedFolder } from "./pinned_folder.ts";

/** Folders in which `a` and `A` were seen to be different names; that does not change while they hold anything. */
const exactFolders = new Set<string>();
const maxRemembered = 10_000;

/** Whether every folder from the root down to that of `path` is known to tell `a` from `A`. */
export function isKnownExact(root: string, path: string): boolean {
  for (let folder = dirname(path); folder.length >= root.length; folder = dirname(folder)) {
    if (!exactFolders.has(folder)) return false;
  }
  return true;
}

/**
 * Where a file system takes `a` for `A`, a name that was forbidden would have other spellings: only the one that is
 * listed counts. The listing is read only where the name in other capitals leads to the same file.
 */
export async function isExactName(
  folder: PinnedFolder,
  { name, stats }: { name: string; stats: { readonly ino: number; readonly dev: number } },
): Promise<boolean> {
  if (exactFolders.has(folder.realPath)) return true;
  const other = swapCase(name);
  if (other === name) return true;
  const twin = await lstat(inside(folder, other)).catch(() => undefined);
  if (twin === undefined || twin.ino !== stats.ino || twin.dev !== stats.dev) {
    if (exactFolders.size >= maxRemembered) exactFolders.clear();
    exactFolders.add(folder.realPath);
    return true;
  }
  return (await readdir(folder.path)).some((entry) => entry.normalize("NFC") === name);
}

function swapCase(name: string): string {
  return [...name].map((one) => one === one.toLowerCase() ? one.toUpperCase() : one.toLowerCase()).join("");
}
