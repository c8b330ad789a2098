import process from "node:process";
import manifest from "../../deno.json" with { type: "json" };
import { build } from "../build.ts";
import { exitCode } from "./cli_error.ts";
import type { Invocation } from "./invocation.ts";
import { printJson } from "./print_json.ts";

const builtFrom = build ? [build.commit, ...build.time === null ? [] : [build.time]] : [];

/** The version of this program and, of a packed one, the commit and time it was built from. */
export const versionText: string = withDetails(manifest.version, builtFrom);

function withDetails(text: string, details: readonly string[]): string {
  return details.length === 0 ? text : `${text} (${details.join(", ")})`;
}

/** `version`: the same, with the runtime and the system. */
export function showVersion({ terminal, options }: Invocation): Promise<number> {
  const { bun, deno, v8, node } = process.versions;
  const { platform, arch } = process;
  if (options.json) {
    printJson(terminal, {
      version: manifest.version,
      commit: build?.commit,
      built_at: build?.time ?? undefined,
      bun,
      deno,
      v8: bun ? undefined : v8,
      platform,
      arch,
    });
  } else {
    const runtime = bun ? `Bun ${bun}` : deno ? `Deno ${deno}` : `Node.js ${node}`;
    const details = [...builtFrom, runtime, `${platform} ${arch}`];
    terminal.print(withDetails(`commandcenter ${manifest.version}`, details));
  }
  return Promise.resolve(exitCode.ok);
}
