import { parseTestReport, type TestReport } from "./test_report.ts";

const graceMs = 10_000;

/** How `deno test` is to run. */
export interface DenoTestOptions {
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly junitFile: string;
  /** Takes the output as it comes. */
  readonly print: (text: string) => void;
  /** Ends the run. */
  readonly signal?: AbortSignal;
}

/** What became of a run of `deno test`. */
export interface DenoTestRun extends TestReport {
  /** The exit code; never 0 when something failed. */
  readonly code: number;
}

/** Runs `deno test` with the leak checks on, passing on its output, and counts what became of the tests. */
export async function runDenoTest(options: DenoTestOptions): Promise<DenoTestRun> {
  const { args, env, junitFile, print, signal } = options;
  const child = new Deno.Command(Deno.execPath(), {
    args: ["test", "-A", "--sanitize-ops", "--sanitize-resources", `--junit-path=${junitFile}`, ...args],
    env: { ...env },
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const stopEnding = endOnAbort(child, signal);
  const crashed: string[] = [];
  const [{ code }] = await Promise.all([
    child.status,
    follow(child.stdout, {
      print,
      read(line) {
        const file = /^Uncaught error from (.+) FAILED$/.exec(withoutColours(line))?.[1];
        if (file !== undefined) crashed.push(`${file}: uncaught error`);
      },
    }),
    follow(child.stderr, { print }),
  ]);
  stopEnding();
  const report = parseTestReport(await readIfThere(junitFile));
  // A file that throws outside its tests is missing from the report.
  const failed = [...report.failed, ...crashed];
  if (code !== 0 && failed.length === 0) failed.push(`deno test: ${ending(code, signal)}`);
  return { ...report, failed, code: failed.length > 0 ? code || 1 : code };
}

// SIGINT lets it name the tests that were under way, and write its report.
function endOnAbort(child: Deno.ChildProcess, signal: AbortSignal | undefined): () => void {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const end = () => {
    child.kill("SIGINT");
    timer = setTimeout(() => child.kill("SIGKILL"), graceMs);
  };
  signal?.addEventListener("abort", end);
  return () => {
    clearTimeout(timer);
    signal?.removeEventListener("abort", end);
  };
}

function withoutColours(text: string): string {
  // deno-lint-ignore no-control-regex
  return text.replace(/\x1b\[[0-9;]*m/g, "");
}

function ending(code: number, signal: AbortSignal | undefined): string {
  return signal?.aborted ? `ended early: ${signal.reason}` : `exit code ${code}`;
}

// Parts are printed as they come, so that a slow test is named while it runs.
async function follow(
  stream: ReadableStream<Uint8Array>,
  { print, read = () => {} }: { print: (part: string) => void; read?: (line: string) => void },
): Promise<void> {
  let rest = "";
  for await (const part of stream.pipeThrough(new TextDecoderStream())) {
    print(part);
    const lines = (rest + part).split("\n");
    rest = lines.pop() ?? "";
    lines.forEach(read);
  }
}

async function readIfThere(file: string): Promise<string> {
  try {
    return await Deno.readTextFile(file);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return "";
    throw error;
  }
}
