import { join } from "node:path";
import { findProgram } from "../../scripts/setup/run_program.ts";
import { locate } from "./requirement.ts";
import { spawnChild } from "./spawn_child.ts";
import { waitFor, within } from "./wait_for.ts";

/** A Docker engine; `await using` ends it where it belongs to the test. */
export interface DockerEngine extends AsyncDisposable {
  /** Runs `docker ...args` and returns what it printed; rejects with what it said otherwise. */
  docker(...args: string[]): Promise<string>;
}

/** Starts an engine of its own, without any network and with all that it keeps in a folder that goes; or takes a running one. */
export async function openDockerEngine(): Promise<DockerEngine> {
  const place = locate("docker");
  if (place.startsWith("unix://")) {
    return { docker: (...args) => docker(place, args), [Symbol.asyncDispose]: () => Promise.resolve() };
  }
  // The address of a socket may have 107 characters, and there are sockets further down.
  const folder = await Deno.makeTempDir({ dir: "/tmp", prefix: "cc-docker-" });
  const address = `unix://${join(folder, "socket")}`;
  const engine = spawnChild(place, {
    args: [
      `--host=${address}`,
      `--data-root=${join(folder, "data")}`,
      `--exec-root=${join(folder, "exec")}`,
      `--pidfile=${join(folder, "pid")}`,
      "--bridge=none",
      "--iptables=false",
      "--ip6tables=false",
    ],
    cwd: folder,
  });
  const close = async () => {
    if (engine.running) await engine.stop({ signal: "SIGTERM", timeoutMs: 30_000 });
    await Deno.remove(folder, { recursive: true });
  };
  try {
    await waitFor(async () => !engine.running || await docker(address, ["version"]), {
      what: "the Docker engine",
      timeoutMs: 60_000,
      pollMs: 100,
    });
    if (!engine.running) throw new Error("it ended");
  } catch (cause) {
    if (engine.running) await engine.stop({ signal: "SIGTERM", timeoutMs: 30_000 });
    throw new Error(`Cannot start "dockerd" in ${folder}: it printed:\n${engine.output()}`, { cause });
  }
  return { docker: (...args) => docker(address, args), [Symbol.asyncDispose]: close };
}

async function docker(address: string, args: readonly string[]): Promise<string> {
  const output = new Deno.Command(findProgram("docker")[0]!, {
    args: ["--host", address, ...args],
    // The builder that every engine has; the newer one is a program of its own.
    env: { DOCKER_BUILDKIT: "0" },
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  }).output();
  const { success, stdout, stderr } = await within(output, {
    what: `docker ${args[0]}`,
    timeoutMs: 240_000,
  });
  const decoder = new TextDecoder();
  if (success) return decoder.decode(stdout).trim();
  throw new Error(
    `Cannot run "docker ${args.join(" ")}": ${decoder.decode(stdout)}${decoder.decode(stderr)}`,
  );
}
