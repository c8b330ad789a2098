import { join } from "node:path";
import { NotHere, obtain, type Obtained } from "./obtain.ts";
import { findProgram, runProgram } from "./run_program.ts";
import { programsFolder, withToolsFolder } from "./tools_folder.ts";

/** Obtains the path of `promtool`, which checks rules of Prometheus. */
export function obtainPromtool(say: (line: string) => void): Promise<Obtained<string>> {
  return obtain("promtool", {
    say,
    ways: [
      { name: "$PROMTOOL", take: fromVariable },
      { name: "PATH", take: fromPath },
      { name: "system package", take: () => fromSystemPackage(say) },
    ],
  });
}

async function fromVariable(): Promise<string> {
  const path = Deno.env.get("PROMTOOL");
  if (!path) throw new NotHere("not set");
  return await checked(path);
}

async function fromPath(): Promise<string> {
  const [path] = findProgram("promtool", [programsFolder]);
  if (path === undefined) throw new NotHere("not there");
  return await checked(path);
}

/** Takes it out of Debian's package, which is not installed: that would start a server. */
async function fromSystemPackage(say: (line: string) => void): Promise<string> {
  if (Deno.build.os !== "linux" || findProgram("apt-get").length === 0) {
    throw new NotHere("this is not Debian");
  }
  return await withToolsFolder("promtool", async (folder) => {
    say("promtool: fetching the system package prometheus (20 MB)");
    try {
      await download(folder);
    } catch (error) {
      if (Deno.uid() !== 0) throw error;
      await runProgram(["apt-get", "update", "-q"], { timeoutMs: 120_000 }); // the lists are old, or were removed
      await download(folder);
    }
    const file = [...Deno.readDirSync(folder)].find(({ name }) => name.endsWith(".deb"))!;
    await runProgram(["dpkg-deb", "-x", join(folder, file.name), join(folder, "files")], {
      timeoutMs: 60_000,
    });
    await Deno.mkdir(programsFolder, { recursive: true });
    const kept = join(programsFolder, "promtool");
    await Deno.rename(join(folder, "files/usr/bin/promtool"), kept);
    return await checked(kept);
  });
}

async function download(folder: string): Promise<void> {
  const user = ["-o", "APT::Sandbox::User=root"]; // the folder may be closed to apt's own
  await runProgram(["apt-get", ...user, "download", "-q", "prometheus"], { timeoutMs: 120_000, cwd: folder });
}

async function checked(path: string): Promise<string> {
  const said = await runProgram([path, "--version"], { timeoutMs: 10_000 });
  if (!said.includes("promtool")) throw new Error(`Cannot use "${path}": it is no promtool`);
  return path;
}
