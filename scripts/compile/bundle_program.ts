import { join, relative } from "node:path";
import { z } from "zod";
import { type Build, buildKey } from "../../core/build.ts";
import { runProgram } from "../setup/run_program.ts";

const infoSchema = z.object({ npmCache: z.string() });

/**
 * Puts the program, its libraries and its assets into one module, which asks for nothing but `node:` modules, and
 * returns its text. The same sources give the same text, wherever they and the cache of libraries lie.
 */
export async function bundleProgram(
  repository: string,
  { build, folder }: { readonly build: Build; readonly folder: string },
): Promise<string> {
  const output = join(folder, "bundle.mjs");
  const deno = Deno.execPath();
  const inRepository = { timeoutMs: 300_000, cwd: repository, env: { NO_COLOR: "1" } };
  await runProgram(
    [deno, "bundle", "--quiet", "--frozen", "--platform=deno", `--output=${output}`, "core/main.ts"],
    inRepository,
  );
  const { npmCache } = infoSchema.parse(JSON.parse(await runProgram([deno, "info", "--json"], inRepository)));
  const text = withoutPaths(await Deno.readTextFile(output), relative(repository, npmCache));
  return `globalThis.${buildKey} = ${JSON.stringify(build)};\n${text}`;
}

/** The bundler names every module by its path; those of libraries begin with the way to the cache of this machine. */
function withoutPaths(text: string, cache: string): string {
  const registryFolder = new RegExp(`${RegExp.escape(cache.replaceAll("\\", "/"))}/[^/"\n]+/`, "g");
  return text.replaceAll(registryFolder, "npm/");
}
