import { expect } from "expect";
import { readFile } from "node:fs/promises";
import type { Exec, ExecLine } from "../../core/exec/exec.ts";
import { ExecError } from "../../core/exec/exec_error.ts";
import { Programs } from "../../core/exec/programs.ts";
import { execSettings } from "../../core/exec/settings.ts";
import type { Logger, LogProperties } from "../../core/log.ts";

const allowed = ["sh", "cat", "env", "pwd", "yes", "sleep", "printf", "true", "nothing-like-it"];

/** The `exec` of a plugin that may start a few programs; `await using` ends them. */
export interface ProgramBench extends AsyncDisposable {
  readonly exec: Exec;
  readonly stop: AbortController;
  readonly logged: string[];
  close(): Promise<void>;
}

/** Lends an `exec` under these settings. */
export function programBench(
  settings: Record<string, unknown> = {},
  env: Record<string, string> = {},
): ProgramBench {
  const logged: string[] = [];
  const note = (message: string, properties: LogProperties = {}) =>
    void logged.push(`${message} ${JSON.stringify(properties)}`);
  const log: Logger = { debug: note, info: note, warn: note, error: note, child: () => log };
  const stop = new AbortController();
  const programs = new Programs({ settings: execSettings.parse(settings), env: { HOME: "/root", ...env } });
  const { exec, close } = programs.forPlugin({ name: "test", programs: allowed, signal: stop.signal, log });
  return { exec, stop, logged, close, [Symbol.asyncDispose]: close };
}

/** The arguments that make `sh` run a script. */
export function script(text: string): string[] {
  return ["-c", text];
}

/** The ExecError of a call that has to fail. */
export async function failure(work: Promise<unknown>): Promise<ExecError> {
  const error = await work.then(() => new Error("it worked"), (error) => error);
  if (!(error instanceof ExecError)) throw error;
  expect(error.message).toMatch(/^Cannot run ".*": .+/s);
  return error;
}

/** Whether a process is there and no zombie. */
export async function isAlive(pid: number): Promise<boolean> {
  const text = await readFile(`/proc/${pid}/stat`, "utf8").catch(() => undefined);
  return text !== undefined && !/^\d+ \(.*\) Z/s.test(text);
}

/** Collects the process ids that a script prints, one a line. */
export function pidsOf(): { onLine: (line: ExecLine) => void; pids: number[] } {
  const pids: number[] = [];
  return { pids, onLine: ({ text }) => void pids.push(Number(text)) };
}
