import { constants } from "node:os";
import process from "node:process";
import { inspect } from "node:util";
import { Interruption } from "./cli/interruption.ts";
import { runProgram } from "./cli/program.ts";
import { processTerminal } from "./cli/terminal.ts";
import { redactText } from "./redact_text.ts";

/** `npx` passes Ctrl-C on although the terminal has already sent it: one press arrives twice. */
const samePressMs = 200;

const interruption = new AbortController();
const terminal = processTerminal(interruption.signal);
let failed = false;

for (const name of ["SIGINT", "SIGTERM"] as const) {
  let pressedAt = -Infinity;
  process.on(name, () => {
    const before = pressedAt;
    pressedAt = performance.now();
    const request = new Interruption(name, constants.signals[name]);
    if (!interruption.signal.aborted) interruption.abort(request);
    else if (pressedAt - before > samePressMs) process.exit(request.exitCode);
  });
}

for (const name of ["uncaughtException", "unhandledRejection"] as const) {
  process.on(name, (error: unknown) => {
    failed = true;
    // A first one stops us in order, and whoever runs tells it; a later one comes while that goes on.
    if (!interruption.signal.aborted) interruption.abort(error);
    else terminal.note(redactText(`unexpected error while stopping: ${inspect(error)}`));
  });
}

const status = await runProgram(process.argv.slice(2), terminal);
process.exit(failed ? status || 1 : status);
