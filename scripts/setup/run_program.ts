import { statSync } from "node:fs";
import { delimiter, join } from "node:path";

/** How a program is to run. */
export interface RunOptions {
  readonly timeoutMs: number;
  readonly cwd?: string;
  readonly env?: Readonly<Record<string, string>>;
  readonly uid?: number;
  readonly gid?: number;
}

/** Runs a program without a shell or input and returns its standard output; rejects with what it said otherwise. */
export async function runProgram(
  [command, ...args]: readonly [string, ...string[]],
  { timeoutMs, ...options }: RunOptions,
): Promise<string> {
  const signal = AbortSignal.timeout(timeoutMs);
  const { success, code, stdout, stderr } = await new Deno.Command(command, {
    ...options,
    env: { ...options.env },
    args,
    signal,
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  }).output();
  const decoder = new TextDecoder();
  if (success) return decoder.decode(stdout);
  const said = decoder.decode(stderr).trim().split("\n").slice(-3).join(" | ");
  const why = signal.aborted ? `stopped after ${timeoutMs / 1000} s` : `exit code ${code}`;
  throw new Error(`Cannot run "${[command, ...args].join(" ")}": ${why}${said && `: ${said}`}`);
}

/** Returns the paths at which a program lies, in the folders of `PATH` and then in `folders`. */
export function findProgram(name: string, folders: readonly string[] = []): string[] {
  const path = Deno.env.get("PATH")?.split(delimiter) ?? [];
  return [...new Set([...path, ...folders])]
    .filter((folder) => folder !== "")
    .map((folder) => join(folder, name))
    .filter((candidate) => statSync(candidate, { throwIfNoEntry: false })?.isFile() ?? false);
}
