import { join } from "node:path";
import { findProgram, runProgram } from "../../scripts/setup/run_program.ts";

/** What an image is to hold, all of it from this machine. */
export interface RootFilesystem {
  /** Programs by name; the libraries that they are linked to come along. */
  readonly programs: readonly string[];
  /** Files and folders by their paths here, with their paths in the image. */
  readonly files?: Readonly<Record<string, string>>;
}

/** Lays out a root file system in `folder` and packs it; returns the path of the archive, ready for `docker import`. */
export async function packRootFilesystem(
  folder: string,
  { programs, files = {} }: RootFilesystem,
): Promise<string> {
  const root = join(folder, "root");
  const copies: Record<string, string> = { ...files };
  for (const program of programs) {
    const path = program.includes("/") ? program : findProgram(program)[0];
    if (path === undefined) throw new Error(`Cannot pack "${program}": it is not on this machine`);
    if (!program.includes("/")) copies[path] = `/bin/${program}`;
    for (const library of await librariesOf(path)) copies[library] = library;
  }
  for (const [from, to] of Object.entries(copies)) {
    await runProgram(["mkdir", "-p", join(root, to, "..")], { timeoutMs: 10_000 });
    await runProgram(["cp", "-rL", from, join(root, to)], { timeoutMs: 60_000 });
  }
  const archive = join(folder, "root.tar");
  await runProgram(["tar", "-c", "-f", archive, "-C", root, "."], { timeoutMs: 60_000 });
  return archive;
}

async function librariesOf(path: string): Promise<string[]> {
  const list = await runProgram(["ldd", path], { timeoutMs: 10_000 });
  return [...list.matchAll(/(?:=> |^\s+)(\/\S+) \(0x/gm)].map(([, library]) => library!);
}
