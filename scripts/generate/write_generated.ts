import { mkdir, readFile, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import type { GeneratedFile } from "./generated_file.ts";

/**
 * Brings the generated files below `root` up to date, or (`check`) leaves them alone. Resolves to the files that
 * differ, each once. Rejects naming the file that cannot be made.
 */
export async function writeGenerated(
  files: readonly GeneratedFile[],
  { root, check }: { root: string; check: boolean },
): Promise<string[]> {
  const before = new Map<string, string | undefined>();
  const after = new Map<string, string | undefined>();
  for (const { file, content } of files) {
    if (!before.has(file)) {
      before.set(file, await currentText(join(root, file)));
      after.set(file, before.get(file));
    }
    try {
      after.set(file, await content(after.get(file))); // several may each have a section of one file
    } catch (error) {
      throw new Error(`Cannot generate "${file}": ${error instanceof Error ? error.message : error}`, {
        cause: error,
      });
    }
  }
  const differing = [...after].filter(([file, text]) => text !== undefined && text !== before.get(file));
  for (const [file, text] of check ? [] : differing) {
    await mkdir(dirname(join(root, file)), { recursive: true });
    await writeFile(join(root, file), text!);
  }
  return differing.map(([file]) => file);
}

async function currentText(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
}
