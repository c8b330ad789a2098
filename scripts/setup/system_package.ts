import { findProgram, runProgram } from "./run_program.ts";
import { NotHere } from "./obtain.ts";

const aptEnvironment = { DEBIAN_FRONTEND: "noninteractive", LC_ALL: "C" };

/** Installs a Debian package, announced first; rejects unless this is root on Debian and `accept` takes its version. */
export async function installSystemPackage(
  name: string,
  { accept, say }: { readonly accept: (version: string) => boolean; readonly say: (line: string) => void },
): Promise<void> {
  if (Deno.build.os !== "linux" || findProgram("apt-get").length === 0) {
    throw new NotHere("this is not Debian");
  }
  if (Deno.uid() !== 0) throw new NotHere("only root may install packages");
  await runProgram(["apt-get", "update", "-q"], { timeoutMs: 120_000, env: aptEnvironment });
  const policy = await runProgram(["apt-cache", "policy", name], { timeoutMs: 30_000, env: aptEnvironment });
  const version = /^\s*Candidate: (.+)$/m.exec(policy)?.[1] ?? "(none)";
  if (version === "(none)" || !accept(version)) {
    throw new Error(`Cannot install "${name}": Debian offers version ${version}`);
  }
  say(`installing the system package ${name} ${version} (apt-get install ${name})`);
  await runProgram(
    ["apt-get", "install", "-y", "-q", "--no-install-recommends", "-o", "DPkg::Lock::Timeout=120", name],
    { timeoutMs: 600_000, env: aptEnvironment },
  );
}
