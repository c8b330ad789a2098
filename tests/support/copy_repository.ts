import { dirname, join } from "node:path";

const root = join(import.meta.dirname!, "../..");
/** What a clone would not hold, or what is rebuilt by use. */
const leftOut = new Set([".git", ".tools", "data", "dist", "node_modules"]);

/**
 * A copy of the working tree in a folder of its own, as a new user's clone would be; `await using` removes it. `at` is
 * where it lies in that folder.
 */
export async function copyRepository(
  { at = "" }: { readonly at?: string } = {},
): Promise<AsyncDisposable & { readonly path: string }> {
  const folder = await Deno.makeTempDir({ prefix: "commandcenter-" });
  const path = join(folder, at);
  await Deno.mkdir(path, { recursive: true });
  await copyFolder(root, path);
  return { path, [Symbol.asyncDispose]: () => Deno.remove(folder, { recursive: true }) };
}

async function copyFolder(from: string, to: string): Promise<void> {
  for await (const entry of Deno.readDir(from)) {
    if (leftOut.has(entry.name)) continue;
    const target = join(to, entry.name);
    if (entry.isDirectory) {
      await Deno.mkdir(target);
      await copyFolder(join(from, entry.name), target);
    } else if (entry.isFile) {
      await Deno.mkdir(dirname(target), { recursive: true });
      await Deno.copyFile(join(from, entry.name), target);
    }
  }
}
