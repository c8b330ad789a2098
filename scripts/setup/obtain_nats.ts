import { homedir } from "node:os";
import { join } from "node:path";
import { startContainer } from "./docker.ts";
import { download } from "./download.ts";
import { fetchGo } from "./go_toolchain.ts";
import { NotHere, obtain, type Obtained } from "./obtain.ts";
import { findProgram, runProgram } from "./run_program.ts";
import { installSystemPackage } from "./system_package.ts";
import { programsFolder, withToolsFolder } from "./tools_folder.ts";
import { untar } from "./untar.ts";

const pinnedVersion = "2.15.0";
const oldest = { major: 2, minor: 10 };

// From SHA256SUMS of the release.
const digests: Readonly<Record<string, string>> = {
  "linux-amd64": "5d2c51caca950333aba84911df7d377f826f3a59ec36061c6539105084f65c92",
  "linux-arm64": "cdc208f5a3f42963a52b6ab06ef65626bb870315dc936e26ba571780c6351112",
  "darwin-amd64": "5bd8b59ca5bf93fab3da2c5843cf564cd6e2e291e22ae3b861746e7ebe259b95",
  "darwin-arm64": "e1c4e22d70bd44abfa0bcb3c16f7cf0c66f648c2e728c58924e8a1ce88913cc8",
};

type Say = (line: string) => void;

/** Obtains the path of a nats-server of version 2.10 or later. */
export function obtainNats(say: Say): Promise<Obtained<string>> {
  return obtain("nats-server", {
    say,
    ways: [
      { name: "$NATS_SERVER", take: fromVariable },
      { name: "PATH", take: () => fromPath(say) },
      { name: "Docker image", take: fromImage },
      { name: "release download", take: fromRelease },
      { name: "go install", take: fromInstalledGo },
      { name: "go install with a fetched Go", take: fromFetchedGo },
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

async function fromImage(): Promise<string> {
  const container = await startContainer({
    image: `nats:${pinnedVersion}-scratch`,
    command: ["--addr", "127.0.0.1", "--port", "-1"],
    ready: { message: /Server is ready/ },
  });
  try {
    const archive = await new Response(
      ReadableStream.from(await container.copyArchiveFromContainer("/nats-server")),
    ).bytes();
    return await withToolsFolder("nats-image", async (folder) => {
      await untar(archive, folder);
      return await keep(join(folder, "nats-server"));
    });
  } finally {
    await container.stop();
  }
}

async function fromRelease(): Promise<string> {
  const value = digests[platform()];
  if (value === undefined) throw new NotHere(`no release is pinned for ${platform()}`);
  const name = `nats-server-v${pinnedVersion}-${platform()}`;
  const releases = "https://github.com/nats-io/nats-server/releases/download";
  const archive = await download(`${releases}/v${pinnedVersion}/${name}.tar.gz`, {
    algorithm: "sha256",
    encoding: "hex",
    value,
  });
  return await withToolsFolder("nats-release", async (folder) => {
    await untar(archive, folder);
    return await keep(join(folder, name, "nats-server"));
  });
}

async function fromInstalledGo(): Promise<string> {
  const go = findProgram("go", ["/usr/local/go/bin"])[0];
  if (go === undefined) throw new NotHere("there is no Go");
  // It fetches the release that the module asks for by itself; 1.21 was the first to do so.
  return await withToolsFolder("go-install", (folder) => goInstall(go, { folder, toolchain: "auto" }));
}

async function fromFetchedGo(): Promise<string> {
  return await withToolsFolder("go", async (folder) => {
    const go = await fetchGo(platform(), join(folder, "go"));
    return await goInstall(go, { folder, toolchain: "local" });
  });
}

async function goInstall(
  go: string,
  { folder, toolchain }: { readonly folder: string; readonly toolchain: "auto" | "local" },
): Promise<string> {
  const built = join(folder, "built");
  await runProgram([go, "install", `github.com/nats-io/nats-server/v2@v${pinnedVersion}`], {
    timeoutMs: 600_000,
    env: {
      CGO_ENABLED: "0",
      GOBIN: built,
      GOCACHE: join(folder, "cache"),
      GOFLAGS: "-modcacherw",
      GOPATH: join(folder, "path"),
      GOTOOLCHAIN: toolchain,
    },
  });
  return await keep(join(built, "nats-server"));
}

async function fromSystemPackage(say: Say): Promise<string> {
  await installSystemPackage("nats-server", { accept: isRecent, say });
  return await fromPath(say);
}

async function keep(program: string): Promise<string> {
  await Deno.chmod(program, 0o755);
  await checked(program);
  await Deno.mkdir(programsFolder, { recursive: true });
  const place = join(programsFolder, "nats-server");
  await Deno.rename(program, place);
  return place;
}

function platform(): string {
  const architecture = Deno.build.arch === "aarch64" ? "arm64" : "amd64";
  return `${Deno.build.os}-${architecture}`;
}
