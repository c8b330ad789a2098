import { join } from "node:path";
import { runProgram } from "./run_program.ts";

/** Unpacks a tar archive, gzipped or not, into an existing folder. */
export async function untar(archive: Uint8Array, folder: string): Promise<void> {
  const file = join(folder, "archive.tar");
  await Deno.writeFile(file, archive);
  // As root, tar would otherwise hand the files to whoever packed them.
  await runProgram(["tar", "-x", "--no-same-owner", "-f", file, "-C", folder], { timeoutMs: 60_000 });
  await Deno.remove(file);
}
