import { program, programArgs, repository } from "./run_cli.ts";
import { within } from "./wait_for.ts";

/** A command that runs until it is told to end, with its two outputs apart. */
export interface FollowedCli extends AsyncDisposable {
  /** Everything printed so far to standard output, line by line. */
  lines(): string[];
  /** Everything printed so far to standard error. */
  remarks(): string;
  signal(name: Deno.Signal): void;
  /** The exit code; rejects after 15 s. */
  exited(): Promise<number>;
}

/** Starts `commandcenter ...args` beside the test; `await using` ends it. */
export function followCli(args: readonly string[], env: Readonly<Record<string, string>> = {}): FollowedCli {
  const child = new Deno.Command(program, {
    args: programArgs(args),
    cwd: repository,
    env: { ...env },
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  let printed = "";
  let remarked = "";
  let running = true;
  const collect = async (stream: ReadableStream<Uint8Array>, add: (text: string) => void) => {
    for await (const text of stream.pipeThrough(new TextDecoderStream())) add(text);
  };
  const ended = Promise.all([
    child.status.finally(() => running = false),
    collect(child.stdout, (text) => printed += text),
    collect(child.stderr, (text) => remarked += text),
  ]);
  return {
    lines: () => printed.split("\n").slice(0, -1),
    remarks: () => remarked,
    signal: (name) => child.kill(name),
    async exited() {
      const [{ code }] = await within(ended, {
        what: `commandcenter ${args.join(" ")} to end`,
        timeoutMs: 15_000,
      });
      return code;
    },
    async [Symbol.asyncDispose]() {
      if (running) child.kill("SIGKILL");
      await ended;
    },
  };
}
