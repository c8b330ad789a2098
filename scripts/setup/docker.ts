import { join } from "node:path";
import { within } from "../../tests/support/wait_for.ts";
import { NotHere } from "./obtain.ts";

// Not in deno.json, and behind a variable, so that only a machine with a Docker engine ever fetches it.
const testcontainers: string = "npm:testcontainers@12.2.0";
const pullAndStartMs = 120_000;

/** The part of testcontainers that is used here. */
interface Testcontainers {
  readonly GenericContainer: new (image: string) => ContainerPlan;
  readonly Wait: { forLogMessage(message: string | RegExp, times?: number): unknown };
}

interface ContainerPlan {
  withCommand(command: string[]): ContainerPlan;
  withEnvironment(environment: Record<string, string>): ContainerPlan;
  withNetworkMode(mode: string): ContainerPlan;
  withWaitStrategy(strategy: unknown): ContainerPlan;
  withStartupTimeout(timeoutMs: number): ContainerPlan;
  start(): Promise<Container>;
}

/** A running container. */
export interface Container {
  stop(): Promise<unknown>;
  /** Reads a file out of the container, as a tar archive. */
  copyArchiveFromContainer(path: string): Promise<AsyncIterable<Uint8Array>>;
}

/** How a container is to run; it shares the network of this machine, so that its server can bind to loopback. */
export interface ContainerOptions {
  readonly image: string;
  readonly command: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  /** Printed `times` times (once) by the container when it is ready. */
  readonly ready: { readonly message: RegExp; readonly times?: number };
}

/** Starts a container through testcontainers; rejects at once without an engine, after 2 min without the image. */
export async function startContainer(
  { image, command, env = {}, ready }: ContainerOptions,
): Promise<Container> {
  // Elsewhere the engine lives in a virtual machine, whose loopback and programs are not those of this machine.
  if (Deno.build.os !== "linux") throw new NotHere("used on Linux only");
  await requireEngine();
  // Its reaper is one more image to pull; the runner stops what it started.
  Deno.env.set("TESTCONTAINERS_RYUK_DISABLED", "true");
  const { GenericContainer, Wait }: Testcontainers = await import(testcontainers);
  const started = new GenericContainer(image)
    .withCommand([...command])
    .withEnvironment({ ...env })
    .withNetworkMode("host")
    .withWaitStrategy(Wait.forLogMessage(ready.message, ready.times ?? 1))
    .withStartupTimeout(pullAndStartMs)
    .start();
  return await within(started, { what: `the image ${image}`, timeoutMs: pullAndStartMs });
}

async function requireEngine(): Promise<void> {
  const host = Deno.env.get("DOCKER_HOST") ?? "unix:///var/run/docker.sock";
  if (!host.startsWith("unix://")) throw new NotHere(`the engine at ${host} is not on this machine`);
  const path = join("/", host.slice("unix://".length));
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
