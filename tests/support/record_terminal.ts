import type { Terminal } from "../../core/cli/terminal.ts";

/** A terminal that keeps what is written to it. */
export interface RecordedTerminal extends Terminal {
  readonly printed: string[];
  readonly noted: string[];
  /** Every state of the line that changes in place. */
  readonly shown: string[];
}

/** A terminal for one test; `paint` marks styles as `<red>text</red>` where `colours` is set. */
export function recordTerminal(
  options: { width?: number; colours?: boolean; env?: Record<string, string>; interrupted?: AbortSignal } =
    {},
): RecordedTerminal {
  const printed: string[] = [];
  const noted: string[] = [];
  const shown: string[] = [];
  return {
    printed,
    noted,
    shown,
    env: options.env ?? {},
    width: options.width,
    interrupted: options.interrupted ?? new AbortController().signal,
    onHangup: () => ({ [Symbol.dispose]: () => {} }),
    progress: options.width === undefined
      ? undefined
      : { width: options.width, show: (line) => void shown.push(line) },
    fed: false,
    print: (line) => void printed.push(line),
    note: (line) => void noted.push(line),
    paint: (style, text) => options.colours ? `<${style}>${text}</${style}>` : text,
    input: () => new Response("").body!,
  };
}
