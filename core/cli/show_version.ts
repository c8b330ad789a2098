import process from "node:process";
import manifest from "../../deno.json" with { type: "json" };
import { exitCode } from "./cli_error.ts";
import type { Invocation } from "./invocation.ts";
import { printJson } from "./print_json.ts";

/** `version`: the version of this program. */
export function showVersion({ terminal, options }: Invocation): Promise<number> {
  const { deno, v8, node } = process.versions;
  if (options.json) {
    printJson(terminal, {
      version: manifest.version,
      deno,
      v8,
      platform: process.platform,
      arch: process.arch,
    });
  } else {
    const runtime = deno ? `Deno ${deno}` : `Node.js ${node}`;
    terminal.print(`commandcenter ${manifest.version} (${runtime}, ${process.platform} ${process.arch})`);
  }
  return Promise.resolve(exitCode.ok);
}
