import { homedir } from "node:os";
import { join } from "node:path";
import { buildNats, buildNatsWithFetchedGo, downloadNats, extractNats } from "./fetch_nats.ts";
import { NotHere, obtain, type Obtained } from "./obtain.ts";
import { findProgram, runProgram } from "./run_program.ts";
import { installSystemPackage } from "./system_package.ts";
import { programsFolder } from "./tools_folder.ts";

const oldest = { major: 2, minor: 10 };

type Say = (line: string) => void;

/** Obtains the path of a nats-server of version 2.10 or later. */
export function obtainNats(say: Say): Promise<Obtained<string>> {
  return obtain("nats-server", {
    say,
    ways: [
      { name: "$NATS_SERVER", take: fromVariable },
      { name: "PATH", take: () => fromPath(say) },
      { name: "Docker image", take: async () => checked(await extractNats()) },
      { name: "release download", take: async () => checked(await downloadNats()) },
      { name: "go install", take: async () => checked(await buildNats(say)) },
      { name: "go install with a fetched Go", take: async () => checked(await buildNatsWithFetchedGo(say)) },
      { name: "system package", take: () => fromSystemPackage(say) },
    ],
  });
}

/** Tells whether a version such as `2.10.3` or Debian's `2.9.10-1+b3` is 2.10 or later. */
export function isRecent(version: string): boolean {
  const [, major = 0, minor = 0] = /^(\d+)\.(\d+)/.exec(version)?.map(Number) ?? [];
  return major > oldest.major || (major === oldest.major && minor >= oldest.minor);
}

async function checked(path: string): Promise<string> {
  const said = await runProgram([path, "--version"], { timeoutMs: 10_000 });
  const version = /v(\d+\.\d+\.\d+)/.exec(said)?.[1];
  if (version === undefined) throw new Error(`Cannot use "${path}": it is no nats-server`);
  if (isRecent(version)) return path;
  throw new Error(
    `Cannot use "${path}": its version ${version} is older than ${oldest.major}.${oldest.minor}`,
  );
}

async function fromVariable(): Promise<string> {
  const path = Deno.env.get("NATS_SERVER");
  if (!path) throw new NotHere("not set");
  return await checked(path);
}

async function fromPath(say: Say): Promise<string> {
  const goFolders = [
    Deno.env.get("GOBIN") ?? "",
    join(Deno.env.get("GOPATH") ?? join(homedir(), "go"), "bin"),
  ];
  for (const path of findProgram("nats-server", [...goFolders, "/usr/sbin", programsFolder])) {
    try {
      return await checked(path);
    } catch (error) {
      say(`nats-server: ${error instanceof Error ? error.message : error}`);
    }
  }
  throw new NotHere("not there");
}

async function fromSystemPackage(say: Say): Promise<string> {
  await installSystemPackage("nats-server", { accept: isRecent, say });
  return await fromPath(say);
}
