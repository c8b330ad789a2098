import { fileURLToPath } from "node:url";
import { within } from "./wait_for.ts";

/** The folder that holds deno.json. */
export const repository: string = fileURLToPath(new URL("../../", import.meta.url));

/** The environment variable with the path of a packed program, which the tests then run instead of the sources. */
export const programVariable = "COMMANDCENTER_PROGRAM";

const packed = Deno.env.get(programVariable);

/** Whether the tests run a packed program. */
export const isPacked: boolean = packed !== undefined;

/** What runs the program: the packed one itself, else Deno. */
export const program: string = packed ?? Deno.execPath();

/** The arguments behind `program` that run it with the permissions it ships with. */
export function programArgs(args: readonly string[]): string[] {
  return isPacked ? [...args] : ["run", "-A", "core/main.ts", ...args];
}

/** How the command line is to run. */
export interface CliOptions {
  /** Added to the environment of the test. */
  readonly env?: Readonly<Record<string, string>>;
  /** What it reads; nothing unless given. */
  readonly stdin?: string;
  readonly timeoutMs?: number;
}

/** What a run of the command line left behind. */
export interface CliResult {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs `commandcenter ...args` to its end; kills it and rejects after `timeoutMs` (30 s). */
export async function runCli(
  args: readonly string[],
  { env = {}, stdin = "", timeoutMs = 30_000 }: CliOptions = {},
): Promise<CliResult> {
  const process = new Deno.Command(program, {
    args: programArgs(args),
    cwd: repository,
    env: { ...env },
    stdin: "piped",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const written = write(process.stdin, stdin);
  const what = `commandcenter ${args.join(" ")}`;
  const output = process.output();
  try {
    const { code, stdout, stderr } = await within(output, { what: `${what} to end`, timeoutMs });
    const decoder = new TextDecoder();
    return { code, stdout: decoder.decode(stdout), stderr: decoder.decode(stderr) };
  } catch (cause) {
    process.kill("SIGKILL");
    const { stdout, stderr } = await output;
    const printed = [stdout, stderr].map((bytes) => new TextDecoder().decode(bytes)).join("");
    throw new Error(`Cannot run "${what}": killed; it printed:\n${printed}`, { cause });
  } finally {
    await written;
  }
}

// A program may end without reading what it is given; that is no fault of the test.
async function write(stdin: WritableStream<Uint8Array>, text: string): Promise<void> {
  const writer = stdin.getWriter();
  try {
    await writer.write(new TextEncoder().encode(text));
    await writer.close();
  } catch (error) {
    if (!(error instanceof Deno.errors.BrokenPipe)) throw error;
  }
}
