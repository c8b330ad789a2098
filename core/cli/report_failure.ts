import { ConfigurationError, messageOf } from "../errors.ts";
import { CliError, exitCode } from "./cli_error.ts";
import { escapeControls } from "./escape_controls.ts";
import { Interruption } from "./interruption.ts";
import { redactText } from "../redact_text.ts";
import { isBrokenPipe, type Terminal } from "./terminal.ts";

/** Tells on standard error what went wrong and what to do; the exit status that belongs to it. */
export function reportFailure(error: unknown, terminal: Terminal): number {
  if (isBrokenPipe(error)) return exitCode.ok; // `| head` has seen enough
  const interruption = terminal.interrupted.reason;
  if (interruption instanceof Interruption && isCausedBy(error, interruption)) return interruption.exitCode;
  if (error instanceof ConfigurationError) {
    for (const line of error.lines) terminal.note(escapeControls(line));
    return exitCode.configuration;
  }
  if (error instanceof CliError) {
    terminal.note(`error: ${escapeControls(error.message)}`);
    if (error.hint !== undefined) terminal.note(`  ${escapeControls(error.hint)}`);
    if (error.correlationId !== undefined) terminal.note(`  correlation id: ${error.correlationId}`);
    return error.exitCode;
  }
  terminal.note(`error: ${lines(messageOf(error))}`);
  for (
    let cause = causeOf(error), depth = 0;
    cause !== undefined && depth < 4;
    cause = causeOf(cause), depth++
  ) {
    terminal.note(`  because: ${lines(messageOf(cause))}`);
  }
  return exitCode.failed;
}

function isCausedBy(error: unknown, interruption: Interruption): boolean {
  return error === interruption || (error instanceof Error && isCausedBy(error.cause, interruption));
}

function lines(text: string): string {
  return redactText(text).split("\n").map(escapeControls).join("\n");
}

function causeOf(error: unknown): unknown {
  return error instanceof Error ? error.cause : undefined;
}
