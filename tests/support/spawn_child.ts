import { join } from "node:path";
import { within } from "./wait_for.ts";

/** The environment variable with the folder in which a test run keeps track of the programs it started. */
export const runFolderVariable = "COMMANDCENTER_TEST_RUN";

const outputLimitChars = 4_000_000;

/** A program that runs beside the test, with its output collected. */
export interface Child {
  readonly pid: number;
  /** Resolves once the program has ended and its output has been read to the end. */
  readonly exited: Promise<Deno.CommandStatus>;
  readonly running: boolean;
  /** Everything printed so far, standard output and error in order of arrival; the last 4 million characters. */
  output(): string;
  /** Sends a signal; a program that has ended already is left alone. */
  signal(signal: Deno.Signal): void;
  /** Sends `signal` and waits for the end; after `timeoutMs` kills it and rejects with its output. */
  stop(options: { signal: Deno.Signal; timeoutMs: number }): Promise<Deno.CommandStatus>;
}

/** Starts a program without a shell and collects what it prints. */
export function spawnChild(
  command: string,
  options: Pick<Deno.CommandOptions, "args" | "cwd" | "env" | "clearEnv" | "uid" | "gid">,
): Child {
  const piped = { ...options, stdin: "null", stdout: "piped", stderr: "piped" } as const;
  const process = new Deno.Command(command, piped).spawn();
  const forget = remember(process.pid, command);
  const output = new BoundedText();
  let running = true;
  const status = process.status.then((status) => {
    running = false;
    forget();
    return status;
  });
  const exited = Promise.all([status, output.collect(process.stdout), output.collect(process.stderr)])
    .then(([status]) => status);
  const signal = (name: Deno.Signal) => {
    if (running) process.kill(name);
  };
  return {
    pid: process.pid,
    exited,
    get running() {
      return running;
    },
    output: () => output.text,
    signal,
    async stop({ signal: name, timeoutMs }) {
      signal(name);
      try {
        return await within(exited, { what: `${command} to end after ${name}`, timeoutMs });
      } catch (cause) {
        signal("SIGKILL");
        throw new Error(`Cannot stop "${command}": killed instead; it printed:\n${output.text}`, { cause });
      }
    },
  };
}

class BoundedText {
  text = "";

  async collect(stream: ReadableStream<Uint8Array>): Promise<void> {
    for await (const part of stream.pipeThrough(new TextDecoderStream())) {
      this.text = (this.text + part).slice(-outputLimitChars);
    }
  }
}

// A test that dies cannot clean up; the runner ends what is still noted here (see scripts/setup/run_folder.ts).
function remember(pid: number, command: string): () => void {
  const folder = Deno.env.get(runFolderVariable);
  if (folder === undefined) return () => {};
  const note = join(folder, "children", String(pid));
  Deno.writeTextFileSync(note, command);
  return () => Deno.removeSync(note);
}
