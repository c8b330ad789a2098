import { fstatSync, writeSync } from "node:fs";
import process from "node:process";
import { isatty } from "node:tty";
import { styleText } from "node:util";

/** A style of `styleText` from node:util. */
export type Style = "bold" | "dim" | "red" | "green" | "yellow" | "cyan";

/** A line that changes in place. */
export interface ProgressLine {
  /** Columns of the terminal. */
  readonly width: number;
  /** Shows the line; an empty one takes it away. */
  show(line: string): void;
}

/** Where a command reads and writes. */
export interface Terminal {
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Columns of the terminal; undefined where standard output is a pipe or a file. */
  readonly width: number | undefined;
  /** Aborted with an `Interruption` by SIGINT and SIGTERM, with the error itself by an unexpected one. */
  readonly interrupted: AbortSignal;
  /** Calls `listener` at each SIGHUP, which ends the process otherwise, until it is disposed of. */
  onHangup(listener: () => void): Disposable;
  /** Writes a line to standard output. Throws an EPIPE error where nobody reads it any more. */
  print(line: string): void;
  /** Writes a line to standard error, where remarks do not disturb a script. */
  note(line: string): void;
  /** Shows a line on standard error that the next one takes the place of; undefined where that is no terminal. */
  readonly progress: ProgressLine | undefined;
  /** The text in that style, or as it is where colours are not wanted. */
  paint(style: Style, text: string): string;
  /** Standard input is a pipe or a file, so that somebody means to tell us something. */
  readonly fed: boolean;
  /** Chunks of standard input. */
  input(): AsyncIterable<Uint8Array>;
}

/** The terminal of this process. Colours only on a terminal, and not under `NO_COLOR` or `TERM=dumb`. */
export function processTerminal(interrupted: AbortSignal, onHangup: Terminal["onHangup"]): Terminal {
  const { env } = process;
  const onTerminal = isatty(1);
  const colours = onTerminal && !env.NO_COLOR && env.TERM !== "dumb";
  return {
    env,
    width: onTerminal ? process.stdout.columns || 80 : undefined,
    interrupted,
    onHangup,
    print: (line) => writeAll(1, line + "\n"),
    note: (line) => remark(line + "\n"),
    progress: isatty(2) && env.TERM !== "dumb"
      ? { width: process.stderr.columns || 80, show: (line) => remark(`\r${line}\u001b[K`) }
      : undefined,
    paint: (style, text) => colours ? styleText(style, text, { validateStream: false }) : text,
    fed: hasInput(),
    input: () => process.stdin,
  };
}

/** Whether the error says that the reader of our output has gone (`| head`). */
export function isBrokenPipe(error: unknown): boolean {
  return error instanceof Error && (error as NodeJS.ErrnoException).code === "EPIPE";
}

function remark(text: string): void {
  try {
    writeAll(2, text);
  } catch {
    // Nobody reads our remarks; the work itself goes on.
  }
}

function hasInput(): boolean {
  try {
    const input = fstatSync(0);
    return input.isFIFO() || input.isFile();
  } catch {
    return false; // closed
  }
}

// Synchronous, so that nothing is cut off when the process exits and a slow reader slows us down.
function writeAll(descriptor: 1 | 2, text: string): void {
  const bytes = new TextEncoder().encode(text);
  for (let written = 0; written < bytes.length;) {
    try {
      written += writeSync(descriptor, bytes, written);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "EAGAIN") throw error;
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 2);
    }
  }
}
