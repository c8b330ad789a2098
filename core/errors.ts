/** Members of an RFC 9457 problem that go beyond status, code and detail. */
export type ProblemExtras = Readonly<Record<string, unknown>>;

/**
 * An error meant for the caller: it becomes an `application/problem+json` answer, a typed query error,
 * or a line of the command line. `detail` says what was wrong and what to do; the cause goes to the log only.
 */
export class Problem extends Error {
  override readonly name = "Problem";
  readonly status: number;
  readonly code: string;
  readonly extras: ProblemExtras;

  constructor(
    status: number,
    code: string,
    options: { detail: string; cause?: unknown; extras?: ProblemExtras },
  ) {
    super(options.detail, options.cause === undefined ? undefined : { cause: options.cause });
    this.status = status;
    this.code = code;
    this.extras = options.extras ?? {};
  }
}

/** Raised while starting, for what the operator has to mend; `lines` are printed one by one, exit status 78. */
export class ConfigurationError extends Error {
  override readonly name = "ConfigurationError";
  readonly lines: readonly string[];

  constructor(lines: readonly string[], options?: { cause?: unknown }) {
    super(lines.join("\n"), options);
    this.lines = lines;
  }
}

/** The message of anything thrown, without its stack. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
