import type { OpenFolder } from "../files/path_root.ts";
import type { Secret } from "../secret.ts";

/** A line of output while the program runs, without its line feed. */
export interface ExecLine {
  readonly stream: "stdout" | "stderr";
  readonly text: string;
  /** The line was longer than 64 KiB; the rest of it is left out. */
  readonly cut: boolean;
}

export interface ExecOptions {
  /** Folder below a path root to run in; default `/`. It may be closed as soon as `exec` is settled. */
  readonly cwd?: OpenFolder;
  /** Added to PATH, LANG, HOME and TZ, which is all that a program gets otherwise. */
  readonly env?: Readonly<Record<string, string | Secret>>;
  /** Default: an empty standard input. */
  readonly stdin?: string | Uint8Array | Secret;
  /** From the start to the end; default `exec.timeout`. */
  readonly timeoutMs?: number;
  /** Kept of each stream, half from its beginning and half from its end; default `exec.max_output`. */
  readonly maxOutputBytes?: number;
  /** Reject with `output_too_large` instead of leaving out the middle: for output that is parsed. */
  readonly wholeOutput?: boolean;
  /** Called line by line; while its promise is pending, no more of that stream is read, and the program has to wait. */
  readonly onLine?: (line: ExecLine) => unknown;
  /** Statuses that are no failure; default only 0. */
  readonly exitCodes?: readonly number[];
  readonly signal?: AbortSignal;
}

/** What a program left behind. */
export interface ExecResult {
  readonly exitCode: number;
  /** As UTF-8, what is none replaced; a line says how many bytes were left out in the middle. */
  readonly stdout: string;
  readonly stderr: string;
  readonly stdoutOmittedBytes: number;
  readonly stderrOmittedBytes: number;
  readonly tookMs: number;
}

/**
 * Starts a program that the plugin names in its definition, without a shell, in a process group of its own, and waits for
 * its end. Nothing of the group outlives the call. Put `--` before arguments that come from users.
 * Rejects with ExecError, or with what `onLine` threw.
 */
export type Exec = (
  program: string,
  argv: readonly (string | Secret)[],
  options?: ExecOptions,
) => Promise<ExecResult>;
