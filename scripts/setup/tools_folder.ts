import { join } from "node:path";
import { fileURLToPath } from "node:url";

/** The folder that holds deno.json. */
export const repository: string = fileURLToPath(new URL("../../", import.meta.url));

/** The folder, out of version control, that keeps what was fetched for the tests. */
export const toolsFolder: string = join(repository, ".tools");

/** Where fetched programs are kept. */
export const programsFolder: string = join(toolsFolder, "bin");

/** Lends a folder in `.tools/` to some work, which moves out of it what is to stay, and deletes it afterwards. */
export async function withToolsFolder<Result>(
  purpose: string,
  work: (folder: string) => Promise<Result>,
): Promise<Result> {
  await Deno.mkdir(toolsFolder, { recursive: true });
  const folder = await Deno.makeTempDir({ dir: toolsFolder, prefix: `${purpose}-` });
  try {
    return await work(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}
