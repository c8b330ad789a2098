import { setTimeout as delay } from "node:timers/promises";
import { isatty } from "node:tty";
import type { Configuration } from "../config/load_config.ts";
import { ConfigurationError, messageOf } from "../errors.ts";
import type { Kernel } from "../kernel.ts";
import { configureLogging, getLogger } from "../log.ts";
import { StorageDamaged } from "../storage/storage_damaged.ts";
import { CliError, exitCode } from "./cli_error.ts";
import { Interruption } from "./interruption.ts";
import type { GlobalOptions, Invocation } from "./invocation.ts";
import { loadLocalConfiguration } from "./load_local_configuration.ts";
import { printGreeting } from "./print_greeting.ts";
import { SystemdService } from "./systemd_service.ts";
import type { Terminal } from "./terminal.ts";

/** From the first signal to the exit, so that a service manager that waits 10 s need not kill us. */
const stopTimeoutMs = 9_500;
/** The same while it is still starting: nothing is in hand, and a database may be waited for that never comes. */
const startingTimeoutMs = 2_000;

/** `start`: runs the agent until a signal ends it; 0 after an orderly stop, 1 where that failed or took too long. */
export async function startAgent({ terminal, options }: Invocation): Promise<number> {
  const configuration = await loadLocalConfiguration(options, terminal.env);
  const { level, format } = configuration.log;
  configureLogging({ level, format: format === "auto" ? (isatty(2) ? "pretty" : "json") : format });
  const run = new AgentRun(configuration, { terminal, options });
  return await Promise.race([run.untilStopped(), run.overdue()]);
}

class AgentRun {
  readonly #configuration: Configuration;
  readonly #terminal: Terminal;
  readonly #options: GlobalOptions;
  readonly #log = getLogger("main");
  readonly #ready = Promise.withResolvers<{ kernel: Kernel; service: SystemdService }>();
  #reloads = Promise.resolve();
  #started = false;
  #ended = false;

  constructor(configuration: Configuration, call: { terminal: Terminal; options: GlobalOptions }) {
    this.#configuration = configuration;
    this.#terminal = call.terminal;
    this.#options = call.options;
  }

  /** Starts, waits to be told to stop, and stops. */
  async untilStopped(): Promise<number> {
    using _hangups = this.#terminal.onHangup(() => this.#hungUp());
    try {
      const kernel = await this.#start();
      this.#started = true;
      using service = new SystemdService(this.#terminal.env, this.#log);
      service.ready(kernel.url);
      this.#ready.resolve({ kernel, service });
      printGreeting(kernel, {
        terminal: this.#terminal,
        options: this.#options,
        configuration: this.#configuration,
      });
      await aborted(this.#terminal.interrupted);
      service.stopping();
      return await this.#stop(kernel);
    } finally {
      this.#ended = true;
    }
  }

  /** One that comes while the agent is starting waits: the file may have changed since it was read. */
  #hungUp(): void {
    this.#reloads = this.#reloads.then(() => this.#reload());
  }

  async #reload(): Promise<void> {
    const { kernel, service } = await this.#ready.promise;
    if (this.#terminal.interrupted.aborted) return;
    await service.reloading();
    try {
      await kernel.reload();
    } catch (error) {
      // A faulty file has been logged, fault by fault.
      if (!(error instanceof ConfigurationError)) this.#log.error("could not reload", { error });
    }
    if (!this.#terminal.interrupted.aborted) await service.reloaded(kernel.url);
  }

  /** Resolves when stopping takes longer than anybody would wait. */
  async overdue(): Promise<number> {
    const { interrupted } = this.#terminal;
    await aborted(interrupted);
    await delay(startingTimeoutMs);
    if (this.#started) await delay(stopTimeoutMs - startingTimeoutMs);
    if (!this.#ended) this.#log.error("could not stop in time, exiting anyway");
    return !this.#started && interrupted.reason instanceof Interruption
      ? interrupted.reason.exitCode
      : exitCode.failed;
  }

  async #start(): Promise<Kernel> {
    const { startKernel } = await import("../kernel.ts");
    process.umask(0o077); // the database and all else that is made from here on is nobody else's to read
    try {
      return await startKernel({
        configuration: this.#configuration,
        log: getLogger(),
        readConfiguration: () => loadLocalConfiguration(this.#options, this.#terminal.env),
      });
    } catch (error) {
      const fault = explained(error, this.#configuration);
      if (fault) throw fault;
      this.#log.error("could not start", { error });
      throw new CliError(`Cannot start the agent: ${messageOf(error)}`, { exitCode: exitCode.failed });
    }
  }

  async #stop(kernel: Kernel): Promise<number> {
    const { reason } = this.#terminal.interrupted;
    const asked = reason instanceof Interruption;
    if (asked) this.#log.info("stopping", { signal: reason.signalName });
    else this.#log.error("unexpected error, stopping", { error: reason });
    try {
      await kernel.stop();
    } catch (error) {
      this.#log.error("could not stop in an orderly way", { error });
      return exitCode.failed;
    }
    return asked ? exitCode.ok : exitCode.failed;
  }
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener("abort", () => resolve(), { once: true });
  });
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
  const damaged = causes.find((cause) => cause instanceof StorageDamaged);
  if (damaged) return new ConfigurationError(damaged.advice, { cause: error });
  return causes.find((cause) => cause instanceof ConfigurationError);
}
