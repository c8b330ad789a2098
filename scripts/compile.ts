// deno task compile [--with deno|bun] [--target TARGET] [--output FILE]: packs the program into one file.
import { dirname, join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { messageOf } from "../core/errors.ts";
import { bundleProgram } from "./compile/bundle_program.ts";
import { packWithBun } from "./compile/pack_with_bun.ts";
import { packWithDeno } from "./compile/pack_with_deno.ts";
import { readBuild } from "./compile/read_build.ts";
import { ownTarget, type Target, targetOf, targets } from "./compile/target.ts";
import { repository, withToolsFolder } from "./setup/tools_folder.ts";

const packers = { deno: packWithDeno, bun: packWithBun };

const usage = `deno task compile [--with deno|bun] [--target TARGET] [--output FILE] [--commit NAME]
  --with     the runtime inside (default: deno)
  --target   ${targets.map(({ name }) => name).join(", ")} (default: this machine)
  --output   the packed file (default: dist/commandcenter)
  --commit   what the file says it was built from (default: as git tells)`;

interface Choice {
  readonly runtime: keyof typeof packers;
  readonly target: Target;
  readonly output: string;
  readonly commit?: string;
}

/** Throws an error with the usage where the arguments do not fit. */
function readArguments(args: string[]): Choice {
  const text = { type: "string" } as const;
  const { values } = parseArgs({ args, options: { with: text, target: text, output: text, commit: text } });
  const runtime = values.with ?? "deno";
  if (runtime !== "deno" && runtime !== "bun") throw new Error(`Cannot pack with "${runtime}"\n${usage}`);
  return {
    runtime,
    target: values.target === undefined ? ownTarget() : targetOf(values.target),
    output: values.output === undefined
      ? join(repository, "dist", "commandcenter")
      : resolve(Deno.env.get("INIT_CWD") ?? "", values.output),
    ...(values.commit ? { commit: values.commit } : {}),
  };
}

function say(line: string): void {
  const bytes = new TextEncoder().encode(`${line}\n`);
  for (let written = 0; written < bytes.length;) written += Deno.stdout.writeSync(bytes.subarray(written));
}

async function compile({ runtime, target, output, commit }: Choice): Promise<void> {
  const build = await readBuild(repository, { commit, env: Deno.env.toObject() });
  await withToolsFolder("compile", async (folder) => {
    const bundle = join(folder, "commandcenter.mjs");
    await Deno.writeTextFile(bundle, await bundleProgram(repository, { build, folder }));
    const packed = await packers[runtime]({ bundle, folder, target, say });
    await Deno.mkdir(dirname(output), { recursive: true });
    await Deno.rename(packed, output);
  });
  const { size } = await Deno.stat(output);
  say(`${output}: ${build.commit} for ${target.name}, with ${runtime}, ${Math.round(size / 1e6)} MB`);
}

if (import.meta.main) {
  try {
    await compile(readArguments(Deno.args));
  } catch (error) {
    say(messageOf(error));
    Deno.exit(1);
  }
}
