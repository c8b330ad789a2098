import { join } from "node:path";
import { runProgram } from "../setup/run_program.ts";
import { fetchBun } from "./fetch_bun.ts";
import type { Packing } from "./packing.ts";
import { bunVersion, ownTarget } from "./target.ts";

/** Packs the bundle with Bun, its bytecode included, which halves the time of a start. */
export async function packWithBun({ bundle, folder, target, say }: Packing): Promise<string> {
  const bun = await fetchBun(ownTarget(), say);
  // Of its own accord Bun would fetch the runtime of another system from GitHub, unchecked.
  const runtime = target.name === ownTarget().name ? bun : await fetchBun(target, say);
  await runProgram([
    bun,
    "build",
    "--compile",
    "--bytecode",
    "--format=esm",
    `--target=${target.bun}-v${bunVersion}`,
    `--compile-executable-path=${runtime}`,
    // What lies in the folder of a start is not ours to obey.
    "--no-compile-autoload-dotenv",
    "--no-compile-autoload-bunfig",
    "--no-compile-autoload-tsconfig",
    "--no-compile-autoload-package-json",
    // The file holds its own name: always the same one.
    "--outfile=commandcenter",
    bundle,
  ], {
    timeoutMs: 300_000,
    cwd: folder,
    env: { NO_COLOR: "1", BUN_INSTALL_CACHE_DIR: join(folder, "cache") },
  });
  return join(folder, "commandcenter");
}
