import { constants } from "node:os";
import process from "node:process";
import { isatty } from "node:tty";
import { inspect } from "node:util";
import { Interruption } from "./cli/interruption.ts";
import { runProgram } from "./cli/program.ts";
import { processTerminal } from "./cli/terminal.ts";
import { redactText } from "./redact_text.ts";

/** `npx` passes Ctrl-C on although the terminal has already sent it: one press arrives twice. */
const samePressMs = 200;

const interruption = new AbortController();
const terminal = processTerminal(interruption.signal, onHangup);
const hasWindow = isatty(2);
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

/** Only who listens outlives SIGHUP. It also comes when the window closes that we were started in: that is an end. */
function onHangup(listener: () => void): Disposable {
  const heard = () => {
    if (!hasWindow || isatty(2)) listener();
    else interruption.abort(new Interruption("SIGHUP", constants.signals.SIGHUP));
  };
  process.on("SIGHUP", heard);
  return { [Symbol.dispose]: () => void process.off("SIGHUP", heard) };
}

const status = await runProgram(process.argv.slice(2), terminal);
process.exit(failed ? status || 1 : status);
