import { isObject, type JsonObject } from "./client.ts";
import { oneLine } from "./escape_controls.ts";
import { printFields } from "./table.ts";
import type { Terminal } from "./terminal.ts";

/** Prints a plan or what a reload has done, and on standard error what went wrong. */
export function printReload(terminal: Terminal, answer: JsonObject): void {
  const { kept, restarted, started, stopped, needs_restart: needsRestart } = answer;
  printFields(terminal, {
    kept: list(kept),
    restarted: list(restarted),
    started: list(started),
    stopped: list(stopped),
    "needs restart": list(needsRestart),
  }, { styles: { "needs restart": "yellow" } });
  const failed = Array.isArray(answer.failed) ? answer.failed.filter(isObject) : [];
  for (const { name, detail, put_back: putBack } of failed) {
    const state = putBack === true ? "runs on with its old settings" : "does not run";
    terminal.note(`error: ${oneLine(name)} ${state}: ${oneLine(detail)}`);
  }
}

function list(values: unknown): unknown {
  return Array.isArray(values) ? values.join(", ") : values;
}
