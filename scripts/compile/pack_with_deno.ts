import { join } from "node:path";
import manifest from "../../deno.json" with { type: "json" };
import { messageOf } from "../../core/errors.ts";
import { runProgram } from "../setup/run_program.ts";
import type { Packing } from "./packing.ts";

/**
 * All that the program may do when Deno runs it. Whom it calls, where its files lie and what it starts is decided by
 * a configuration that nobody knows yet, so network, files, variables and programs stay open. Closed are native code
 * and what takes all permissions, such as `/proc`: the metrics plugin leaves out open files, traffic and disks.
 */
export const denoFlags: readonly string[] = [
  "--allow-net",
  "--allow-read",
  "--allow-write",
  "--allow-env",
  "--allow-sys",
  "--allow-run",
  "--no-prompt",
  // Without deno.json, which the bundle leaves behind: its libraries are inside.
  "--no-config",
  "--no-lock",
  ...manifest.unstable.map((feature) => `--unstable-${feature}`),
];

/** Packs the bundle with Deno; rejects with a hint where the runtime that it puts in front cannot be downloaded. */
export async function packWithDeno({ bundle, folder, target }: Packing): Promise<string> {
  const output = join(folder, "commandcenter");
  try {
    await runProgram([
      Deno.execPath(),
      "compile",
      "--quiet",
      "--no-check",
      ...denoFlags,
      `--target=${target.deno}`,
      `--output=${output}`,
      bundle,
    ], { timeoutMs: 600_000, cwd: folder, env: { NO_COLOR: "1", RUST_LIB_BACKTRACE: "0" } });
  } catch (cause) {
    const reason = messageOf(cause).split(" | ").at(-1)!.replace(/^\s*\d+: /, "");
    throw new Error(
      `Cannot pack with Deno: ${reason}; its runtime comes from dl.deno.land. With Bun's, from npm: deno task compile --with bun`,
      { cause },
    );
  }
  return output;
}
