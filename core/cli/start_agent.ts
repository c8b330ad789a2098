import process from "node:process";
import { isatty } from "node:tty";
import type { Configuration } from "../config/load_config.ts";
import { ConfigurationError, messageOf } from "../errors.ts";
import type { Kernel } from "../kernel.ts";
import { configureLogging, getLogger, type Logger } from "../log.ts";
import { CliError, exitCode } from "./cli_error.ts";
import { Interruption } from "./interruption.ts";
import type { GlobalOptions, Invocation } from "./invocation.ts";
import { loadLocalConfiguration } from "./load_local_configuration.ts";
import { printJson } from "./print_json.ts";
import { printFields } from "./table.ts";
import { isBrokenPipe, type Terminal } from "./terminal.ts";

/** From the first signal to the exit, so that a service manager that waits 10 s need not kill us. */
const stopTimeoutMs = 9_500;

/** `start`: runs the agent until a signal ends it; 0 after an orderly stop, 1 where that failed or took too long. */
export async function startAgent({ terminal, options }: Invocation): Promise<number> {
  const { interrupted } = terminal;
  const configuration = await loadLocalConfiguration(options, terminal.env);
  const { level, format } = configuration.log;
  configureLogging({ level, format: format === "auto" ? (isatty(2) ? "pretty" : "json") : format });
  const log = getLogger("main");

  const stopped = new AbortController();
  const overdue = new Promise<number>((resolve) => {
    const begin = () => {
      const timer = setTimeout(() => {
        log.error("could not stop in time, exiting anyway", { timeout_ms: stopTimeoutMs });
        resolve(exitCode.failed);
      }, stopTimeoutMs);
      stopped.signal.addEventListener("abort", () => clearTimeout(timer));
    };
    if (interrupted.aborted) begin();
    else interrupted.addEventListener("abort", begin, { once: true });
  });
  try {
    return await Promise.race([run(configuration, { terminal, options, log }), overdue]);
  } finally {
    stopped.abort();
  }
}

async function run(
  configuration: Configuration,
  { terminal, options, log }: { terminal: Terminal; options: GlobalOptions; log: Logger },
): Promise<number> {
  const { startKernel } = await import("../kernel.ts");
  let kernel: Kernel;
  try {
    kernel = await startKernel({ configuration, log: getLogger() });
  } catch (error) {
    throw explained(error, configuration) ?? logged(error, log);
  }
  greet(kernel, { terminal, options, configuration });
  await aborted(terminal.interrupted);
  const { reason } = terminal.interrupted;
  const asked = reason instanceof Interruption;
  if (asked) log.info("stopping", { signal: reason.signalName });
  else log.error("unexpected error, stopping", { error: reason });
  try {
    await kernel.stop();
  } catch (error) {
    log.error("could not stop in an orderly way", { error });
    return exitCode.failed;
  }
  return asked ? exitCode.ok : exitCode.failed;
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener("abort", () => resolve(), { once: true });
  });
}

/** Tells where the agent answers, where its key lies, and what to try first. */
function greet(
  kernel: Kernel,
  { terminal, options, configuration }: {
    terminal: Terminal;
    options: GlobalOptions;
    configuration: Configuration;
  },
): void {
  const { url, adminKeyFile, node } = kernel;
  const chosen = [
    options.config === undefined ? "" : ` --config ${shellWord(options.config)}`,
    configuration.http.port === 0 ? ` --url ${url}` : "", // the system chose the port, the file does not tell it
  ].join("");
  const example = `${programName(terminal.env)}${chosen} events publish demo.hello '{"text":"hello"}'`;
  try {
    if (options.json) return printJson(terminal, { url, admin_key_file: adminKeyFile, node_id: node.id });
    terminal.print(terminal.paint("bold", `CommandCenter ${node.version} is running.`));
    printFields(terminal, {
      "Address": url,
      "Reference": `${url}/docs`,
      "Node": `${node.id} (${node.name})`,
      "Admin key": adminKeyFile,
      "Try": example,
      "Stop": "Ctrl-C",
    });
  } catch (error) {
    if (!isBrokenPipe(error)) throw error; // an agent runs on, whether or not somebody reads its greeting
  }
}

/** How this program is called here: by its own name where it is compiled, else through the task in deno.json. */
function programName(env: Terminal["env"]): string {
  if (!/\bdeno(\.exe)?$/.test(process.execPath)) return "commandcenter";
  return env.npm_command === "exec"
    ? `npx -y deno@${process.versions.deno} task commandcenter`
    : "deno task commandcenter";
}

function shellWord(text: string): string {
  return /^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`;
}

/** The fault as a sentence where it is one that the operator can mend. */
function explained(error: unknown, { http, file }: Configuration): unknown {
  const causes: Error[] = [];
  for (let cause = error; cause instanceof Error && causes.length < 10; cause = cause.cause) {
    causes.push(cause);
  }
  // Exit status 1, not 78: the port may be free again in a moment, and a service manager should try.
  if (
    causes.some((cause) =>
      cause.name === "AddrInUse" || (cause as NodeJS.ErrnoException).code === "EADDRINUSE"
    )
  ) {
    return new CliError(`Cannot listen on ${http.host}:${http.port}: the address is in use`, {
      exitCode: exitCode.failed,
      hint: `Stop what runs there (another agent?), or choose another http.port in ${file}.`,
      cause: error,
    });
  }
  return causes.find((cause) => cause instanceof ConfigurationError);
}

function logged(error: unknown, log: Logger): CliError {
  log.error("could not start", { error });
  return new CliError(`Cannot start the agent: ${messageOf(error)}`, {
    exitCode: exitCode.failed,
    cause: error,
  });
}
