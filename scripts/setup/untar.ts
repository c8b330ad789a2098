import { join } from "node:path";
import { runProgram } from "./run_program.ts";

/** Unpacks a tar archive, gzipped or not, by its content or its path, into an existing folder. */
export async function untar(archive: Uint8Array | string, folder: string): Promise<void> {
  const file = typeof archive === "string" ? archive : join(folder, "archive.tar");
  if (typeof archive !== "string") await Deno.writeFile(file, archive);
  // As root, tar would otherwise hand the files to whoever packed them.
  await runProgram(["tar", "-x", "--no-same-owner", "-f", file, "-C", folder], { timeoutMs: 60_000 });
  await Deno.remove(file);
}
