import type { Terminal } from "./terminal.ts";

/** Options that every command understands. */
export interface GlobalOptions {
  /** File of the local configuration. */
  readonly config?: string;
  /** Address of the agent. */
  readonly url?: string;
  /** API key. */
  readonly key?: string;
  /** JSON for scripts instead of text for people. */
  readonly json?: boolean;
}

/** One call of a command: what was given, and where to read and write. */
export interface Invocation<Options = object> {
  readonly terminal: Terminal;
  readonly options: Options & GlobalOptions;
  /** The operands in the order of the usage line; an optional one may be missing. */
  readonly operands: readonly (string | undefined)[];
}

/** A command; resolves to the exit status. */
export type Command<Options = object> = (invocation: Invocation<Options>) => Promise<number>;
