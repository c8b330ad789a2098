import type { Terminal } from "../../core/cli/terminal.ts";

/** A terminal that keeps what is written to it. */
export interface RecordedTerminal extends Terminal {
  readonly printed: string[];
  readonly noted: string[];
}

/** A terminal for one test; `paint` marks styles as `<red>text</red>` where `colours` is set. */
export function recordTerminal(
  options: { width?: number; colours?: boolean; env?: Record<string, string>; interrupted?: AbortSignal } =
    {},
): RecordedTerminal {
  const printed: string[] = [];
  const noted: string[] = [];
  return {
    printed,
    noted,
    env: options.env ?? {},
    width: options.width,
    interrupted: options.interrupted ?? new AbortController().signal,
    fed: false,
    print: (line) => void printed.push(line),
    note: (line) => void noted.push(line),
    paint: (style, text) => options.colours ? `<${style}>${text}</${style}>` : text,
    input: () => new Response("").body!,
  };
}
