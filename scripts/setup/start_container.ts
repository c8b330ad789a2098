import { fileURLToPath } from "node:url";
import { within } from "../../tests/support/wait_for.ts";
import type { ContainerPlan } from "./container_plan.ts";
import { NotHere } from "./obtain.ts";

const pullAndStartMs = 120_000;
const stopMs = 30_000;
const keeper = fileURLToPath(new URL("keep_container.ts", import.meta.url));

/** A container that runs until it is disposed of, or this process ends. */
export type Container = AsyncDisposable;

/** Starts a container through testcontainers; rejects at once without an engine, after 2 min without the image. */
export async function startContainer(plan: ContainerPlan): Promise<Container> {
  // Elsewhere the engine lives in a virtual machine, whose loopback and programs are not those of this machine.
  if (Deno.build.os !== "linux") throw new NotHere("used on Linux only");
  await requireEngine();
  const process = new Deno.Command(Deno.execPath(), {
    // What it fetches is no part of the project, and so not of its lock file.
    args: ["run", "-A", "--quiet", "--no-lock", keeper, JSON.stringify(plan)],
    env: { NO_COLOR: "1" },
    stdin: "piped",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  let running = true;
  const ended = process.status.then(() => running = false);
  const complaints = new Response(process.stderr).text();
  try {
    const ready = within(() => firstPart(process.stdout), {
      what: `the image ${plan.image}`,
      timeoutMs: pullAndStartMs,
    });
    if (await ready === "") throw new Error(firstError(await complaints));
  } catch (error) {
    if (running) process.kill("SIGKILL");
    throw error;
  }
  return {
    async [Symbol.asyncDispose]() {
      await process.stdin.close();
      await within(ended, { what: "the container to stop", timeoutMs: stopMs });
    },
  };
}

async function firstPart(stream: ReadableStream<Uint8Array>): Promise<string> {
  for await (const part of stream.pipeThrough(new TextDecoderStream())) return part;
  return "";
}

function firstError(text: string): string {
  return /^error: (?:Uncaught (?:\(in promise\) )?)?(.+)$/m.exec(text)?.[1] ?? text.trim();
}

async function requireEngine(): Promise<void> {
  const host = Deno.env.get("DOCKER_HOST") ?? "unix:///var/run/docker.sock";
  if (!host.startsWith("unix://")) throw new NotHere(`the engine at ${host} is not on this machine`);
  const path = host.slice("unix://".length);
  const answer = await within(() => ping(path), { what: `the Docker engine at ${path}`, timeoutMs: 3_000 })
    .catch((cause) => {
      throw new NotHere(`no Docker engine answers at ${path}`, { cause });
    });
  if (!/^HTTP\/1\.\d 200 /.test(answer)) throw new NotHere(`what answers at ${path} is no Docker engine`);
}

async function ping(path: string): Promise<string> {
  using connection = await Deno.connect({ transport: "unix", path });
  await connection.write(new TextEncoder().encode("GET /_ping HTTP/1.0\r\nHost: docker\r\n\r\n"));
  const answer = new Uint8Array(256);
  const length = await connection.read(answer) ?? 0;
  return new TextDecoder().decode(answer.subarray(0, length));
}
