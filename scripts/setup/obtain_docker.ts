import { NotHere, obtain, type Obtained } from "./obtain.ts";
import { findProgram } from "./run_program.ts";
import { installSystemPackage } from "./system_package.ts";

/** Where an engine usually listens. */
const usualSocket = "/var/run/docker.sock";

/**
 * Obtains what runs containers: the address of an engine, `unix://…`, or the path of `dockerd`, with which the tests
 * start one of their own.
 */
export function obtainDocker(say: (line: string) => void): Promise<Obtained<string>> {
  return obtain("Docker", {
    say,
    ways: [
      { name: "$DOCKER_ENGINE", take: () => fromVariable() },
      { name: usualSocket, take: runningEngine },
      { name: "PATH", take: fromPath },
      { name: "system package", take: () => fromSystemPackage(say) },
    ],
  });
}

function fromVariable(): Promise<string> {
  const place = Deno.env.get("DOCKER_ENGINE");
  if (!place) throw new NotHere("not set");
  return Promise.resolve(place);
}

async function runningEngine(): Promise<string> {
  try {
    using _connection = await Deno.connect({ transport: "unix", path: usualSocket });
  } catch (cause) {
    throw new NotHere("nobody listens", { cause });
  }
  requireClient();
  return `unix://${usualSocket}`;
}

function fromPath(): Promise<string> {
  if (Deno.build.os !== "linux" || Deno.uid() !== 0) throw new NotHere("only root on Linux may start one");
  const [path] = findProgram("dockerd", ["/usr/sbin", "/usr/bin"]);
  if (path === undefined) throw new NotHere("there is no dockerd");
  requireClient();
  return Promise.resolve(path);
}

async function fromSystemPackage(say: (line: string) => void): Promise<string> {
  await installSystemPackage("docker.io", { accept: () => true, say });
  return await fromPath();
}

function requireClient(): void {
  if (findProgram("docker").length === 0) throw new NotHere("there is no docker to talk to it");
}
