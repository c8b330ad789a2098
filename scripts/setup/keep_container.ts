// Runs one container through testcontainers until its standard input ends; started by start_container.ts.
import { containerPlanSchema } from "./container_plan.ts";

// Neither in deno.json nor written as a literal import, so that only a machine with a Docker engine fetches it.
const testcontainers: string = "npm:testcontainers@12.2.0";

/** The part of testcontainers that is used here. */
interface Testcontainers {
  readonly GenericContainer: new (image: string) => Preparation;
  readonly Wait: { forLogMessage(message: RegExp, times: number): unknown };
}

interface Preparation {
  withCommand(command: string[]): Preparation;
  withEnvironment(environment: Record<string, string>): Preparation;
  withNetworkMode(mode: string): Preparation;
  withWaitStrategy(strategy: unknown): Preparation;
  start(): Promise<Container>;
}

interface Container {
  stop(): Promise<unknown>;
  copyArchiveFromContainer(path: string): Promise<AsyncIterable<Uint8Array>>;
}

const { image, command, env, ready, copy } = containerPlanSchema.parse(JSON.parse(Deno.args[0] ?? ""));
// Its reaper is one more image to pull; the end of our input does the same.
Deno.env.set("TESTCONTAINERS_RYUK_DISABLED", "true");
const { GenericContainer, Wait }: Testcontainers = await import(testcontainers);
const container = await new GenericContainer(image)
  .withCommand(command)
  .withEnvironment(env)
  // The network of this machine, so that the server in it can bind to loopback.
  .withNetworkMode("host")
  .withWaitStrategy(Wait.forLogMessage(new RegExp(ready.message), ready.times))
  .start();
try {
  if (copy !== undefined) {
    const archive = ReadableStream.from(await container.copyArchiveFromContainer(copy.path));
    await Deno.writeFile(copy.archive, archive);
  }
  await Deno.stdout.write(new TextEncoder().encode("ready\n"));
  await Deno.stdin.readable.pipeTo(new WritableStream());
} finally {
  await container.stop();
}
Deno.exit();
