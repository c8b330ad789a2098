/** What the exit status of `commandcenter` tells a script; documented in `--help`. */
export const exitCode = {
  ok: 0,
  failed: 1,
  usage: 2,
  unreachable: 69,
  forbidden: 77,
  configuration: 78,
} as const;

export interface CliErrorOptions {
  readonly exitCode: number;
  /** What to do about it. */
  readonly hint?: string | undefined;
  /** HTTP status of the answer that this is about. */
  readonly status?: number | undefined;
  /** All that the answer says about what went wrong. */
  readonly problem?: Readonly<Record<string, unknown>> | undefined;
  /** Finds the same call in the agent's log. */
  readonly correlationId?: string | undefined;
  readonly cause?: unknown;
}

/** A failure that the command line explains in a sentence, without a stack. */
export class CliError extends Error {
  override readonly name = "CliError";
  readonly exitCode: number;
  readonly hint: string | undefined;
  readonly status: number | undefined;
  readonly problem: Readonly<Record<string, unknown>> | undefined;
  readonly correlationId: string | undefined;

  constructor(message: string, options: CliErrorOptions) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.exitCode = options.exitCode;
    this.hint = options.hint;
    this.status = options.status;
    this.problem = options.problem;
    this.correlationId = options.correlationId;
  }
}
