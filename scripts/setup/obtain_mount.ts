import { NotHere, obtain, type Obtained } from "./obtain.ts";
import { findProgram, runProgram } from "./run_program.ts";

const timeoutMs = 10_000;

/** Obtains the path of `mount`, where this process may mount a tmpfs: the small disks that tests fill up. */
export function obtainMount(say: (line: string) => void): Promise<Obtained<string>> {
  return obtain("mount", {
    say,
    ways: [
      { name: "$MOUNT_PROGRAM", take: fromVariable },
      { name: "PATH", take: fromPath },
    ],
  });
}

async function fromVariable(): Promise<string> {
  const path = Deno.env.get("MOUNT_PROGRAM");
  if (!path) throw new NotHere("not set");
  return await tried(path);
}

async function fromPath(): Promise<string> {
  if (Deno.build.os !== "linux") throw new NotHere("a tmpfs is Linux's");
  if (Deno.uid() !== 0) throw new NotHere("only root may mount a tmpfs");
  const [path] = findProgram("mount", ["/bin", "/usr/bin"]);
  if (path === undefined) throw new NotHere("there is none");
  return await tried(path);
}

async function tried(path: string): Promise<string> {
  const folder = await Deno.makeTempDir({ prefix: "commandcenter-mount-" });
  try {
    await runProgram([path, "-t", "tmpfs", "-o", "size=64k", "tmpfs", folder], { timeoutMs });
    await runProgram(["umount", folder], { timeoutMs });
  } finally {
    await Deno.remove(folder);
  }
  return path;
}
