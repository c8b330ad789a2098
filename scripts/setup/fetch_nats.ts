// Every way here leaves the pinned nats-server in `.tools/bin` and returns its path.
import { join } from "node:path";
import { startContainer } from "./start_container.ts";
import { download } from "./download.ts";
import { fetchGo } from "./go_toolchain.ts";
import { NotHere } from "./obtain.ts";
import { findProgram, runProgram } from "./run_program.ts";
import { programsFolder, withToolsFolder } from "./tools_folder.ts";
import { untar } from "./untar.ts";

const version = "2.15.0";

// From SHA256SUMS of the release.
const digests: Readonly<Record<string, string>> = {
  "linux-amd64": "5d2c51caca950333aba84911df7d377f826f3a59ec36061c6539105084f65c92",
  "linux-arm64": "cdc208f5a3f42963a52b6ab06ef65626bb870315dc936e26ba571780c6351112",
  "darwin-amd64": "5bd8b59ca5bf93fab3da2c5843cf564cd6e2e291e22ae3b861746e7ebe259b95",
  "darwin-arm64": "e1c4e22d70bd44abfa0bcb3c16f7cf0c66f648c2e728c58924e8a1ce88913cc8",
};

type Say = (line: string) => void;

/** Takes it out of its Docker image. */
export async function extractNats(): Promise<string> {
  return await withToolsFolder("nats-image", async (folder) => {
    const archive = join(folder, "image.tar");
    await using _container = await startContainer({
      image: `nats:${version}-scratch`,
      command: ["--addr", "127.0.0.1", "--port", "-1"],
      ready: { message: "Server is ready" },
      copy: { path: "/nats-server", archive },
    });
    await untar(archive, folder);
    return await keep(join(folder, "nats-server"));
  });
}

/** Downloads the release. */
export async function downloadNats(): Promise<string> {
  const value = digests[platform()];
  if (value === undefined) throw new NotHere(`no release is pinned for ${platform()}`);
  const name = `nats-server-v${version}-${platform()}`;
  const releases = "https://github.com/nats-io/nats-server/releases/download";
  const archive = await download(`${releases}/v${version}/${name}.tar.gz`, {
    algorithm: "sha256",
    encoding: "hex",
    value,
  });
  return await withToolsFolder("nats-release", async (folder) => {
    await untar(archive, folder);
    return await keep(join(folder, name, "nats-server"));
  });
}

/** Builds it from source with the Go of this machine. */
export async function buildNats(say: Say): Promise<string> {
  const go = findProgram("go", ["/usr/local/go/bin"])[0];
  if (go === undefined) throw new NotHere("there is no Go");
  // It fetches the release that the module asks for by itself; 1.21 was the first to do so.
  say(`nats-server: building ${version} with ${go}, about a minute`);
  return await withToolsFolder("go-install", (folder) => goInstall(go, { folder, toolchain: "auto" }));
}

/** Builds it from source with a Go that is fetched for this purpose and then deleted. */
export async function buildNatsWithFetchedGo(say: Say): Promise<string> {
  return await withToolsFolder("go", async (folder) => {
    say(`nats-server: fetching Go (70 MB) to build ${version}, about a minute`);
    const go = await fetchGo(platform(), join(folder, "go"));
    return await goInstall(go, { folder, toolchain: "local" });
  });
}

async function goInstall(
  go: string,
  { folder, toolchain }: { readonly folder: string; readonly toolchain: "auto" | "local" },
): Promise<string> {
  const built = join(folder, "built");
  await runProgram([go, "install", `github.com/nats-io/nats-server/v2@v${version}`], {
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

async function keep(program: string): Promise<string> {
  await Deno.chmod(program, 0o755);
  await Deno.mkdir(programsFolder, { recursive: true });
  const place = join(programsFolder, "nats-server");
  await Deno.rename(program, place);
  return place;
}

function platform(): string {
  const architecture = Deno.build.arch === "aarch64" ? "arm64" : "amd64";
  return `${Deno.build.os}-${architecture}`;
}
