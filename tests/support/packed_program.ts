import { join } from "node:path";
import { runProgram } from "../../scripts/setup/run_program.ts";

/** What the packed programs of the tests say they were built from. */
export const packedFrom = { commit: "0123456789ab", time: "2001-09-09T01:46:40Z" } as const;

/** Packs the program of a checkout with Bun, as `deno task compile --with bun` does, and returns the path of the file. */
export async function packProgram(checkout: string, folder: string): Promise<string> {
  const output = join(folder, "commandcenter");
  const compile = ["run", "-A", "scripts/compile.ts", "--with", "bun", "--commit", packedFrom.commit];
  await runProgram([Deno.execPath(), ...compile, "--output", output], {
    timeoutMs: 300_000,
    cwd: checkout,
    env: { SOURCE_DATE_EPOCH: String(Date.parse(packedFrom.time) / 1000) },
  });
  return output;
}
