/** Why a program did not do what it was started for. */
export type ExecErrorCode =
  /** The plugin does not name the program in its definition. */
  | "not_allowed"
  /** No such program in the folders of `exec.path`. */
  | "not_found"
  /** It is there, but must not or cannot be started. */
  | "not_executable"
  /** An argument, a variable or an option that no program can be given. */
  | "invalid_argument"
  | "timeout"
  /** The caller's signal was aborted. */
  | "aborted"
  /** It printed more than the caller can use. */
  | "output_too_large"
  /** It ended with a status that the caller did not expect, or by a signal. */
  | "failed"
  /** Too many programs wait already. */
  | "busy"
  /** The plugin that asked is stopping. */
  | "stopping";

/** What an ExecError tells beyond its code. */
export interface ExecErrorOptions {
  readonly program: string;
  /** What was wrong and what to do. */
  readonly state: string;
  readonly cause?: unknown;
  readonly exitCode?: number | undefined;
  readonly signal?: string | undefined;
  /** The last of what it printed on standard error, without the secrets it was given. */
  readonly stderrTail?: string;
}

/** A program without a result: `Cannot run "<program>": <state>`. */
export class ExecError extends Error {
  override readonly name = "ExecError";
  readonly code: ExecErrorCode;
  readonly program: string;
  /** Status, where it ended by itself. */
  readonly exitCode: number | undefined;
  /** Name of the signal that ended it. */
  readonly signal: string | undefined;
  /** The last of standard error, 2000 characters at the most, without the secrets that it was given. */
  readonly stderrTail: string;

  constructor(code: ExecErrorCode, options: ExecErrorOptions) {
    const { program, state, cause, stderrTail = "" } = options;
    super(`Cannot run "${program}": ${state}`, cause === undefined ? undefined : { cause });
    this.code = code;
    this.program = program;
    this.exitCode = options.exitCode;
    this.signal = options.signal;
    this.stderrTail = stderrTail;
  }
}
