import { dirname, join } from "node:path";

const root = join(import.meta.dirname!, "../..");
/** What a clone would not hold, or what is rebuilt by use. */
const leftOut = new Set([".git", ".tools", "data", "node_modules"]);

/** A copy of the working tree in a folder of its own, as a new user's clone would be; `await using` removes it. */
export async function copyRepository(): Promise<AsyncDisposable & { readonly path: string }> {
  const path = await Deno.makeTempDir({ prefix: "commandcenter-" });
  await copyFolder(root, path);
  return { path, [Symbol.asyncDispose]: () => Deno.remove(path, { recursive: true }) };
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
