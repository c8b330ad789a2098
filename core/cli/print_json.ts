import { escapeControls } from "./escape_controls.ts";
import type { Terminal } from "./terminal.ts";

/** Prints the value as one line of JSON; what could drive a terminal stands as `\u009b` in it. */
export function printJson(terminal: Terminal, value: unknown): void {
  terminal.print(escapeControls(JSON.stringify(value)));
}
