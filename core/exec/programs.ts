import type { Logger } from "../log.ts";
import { redactText } from "../redact_text.ts";
import { Secret } from "../secret.ts";
import { childEnvironment } from "./child_environment.ts";
import { revealArguments, shownArguments, withoutSecrets } from "./command_line.ts";
import type { Exec, ExecOptions, ExecResult } from "./exec.ts";
import { ExecError } from "./exec_error.ts";
import { findProgram, isProgramName } from "./find_program.ts";
import { type ProgramEnd, ProgramRun } from "./program_run.ts";
import type { ExecSettings } from "./settings.ts";
import { TurnDesk } from "./turn_desk.ts";

const tailCharacters = 2000;

interface ProgramsOptions {
  readonly settings: ExecSettings;
  /** The agent's environment, of which a child gets HOME and TZ. */
  readonly env: Readonly<Record<string, string | undefined>>;
}

/** One plugin's right to start programs. */
export interface PluginPrograms {
  readonly exec: Exec;
  /** Kills whatever still runs, and resolves when it is gone. */
  close(): Promise<void>;
}

interface Asker {
  readonly name: string;
  /** What its definition names. */
  readonly programs: readonly string[];
  /** Aborted when the plugin is told to stop: what runs is asked to end. */
  readonly signal: AbortSignal;
  readonly log: Logger;
}

interface Start {
  readonly program: string;
  readonly argv: readonly (string | Secret)[];
  readonly options: ExecOptions;
}

/** The one place where the agent starts programs: who may start which, and how many run at once. */
export class Programs {
  readonly #settings: ExecSettings;
  readonly #env: ProgramsOptions["env"];
  readonly #turns: TurnDesk;

  constructor({ settings, env }: ProgramsOptions) {
    this.#settings = settings;
    this.#env = env;
    this.#turns = new TurnDesk(settings);
  }

  /** The `exec` of one plugin. Throws where one of its programs has no name that could be looked up. */
  forPlugin(asker: Asker): PluginPrograms {
    const wrong = asker.programs.find((name) => !isProgramName(name));
    if (wrong !== undefined) {
      throw new Error(
        `Cannot start "${asker.name}": it names "${wrong}" as a program; a bare name is needed`,
      );
    }
    const runs = new Set<ProgramRun>();
    const open = new Set<Promise<unknown>>();
    return {
      exec: (program, argv, options = {}) => {
        const call = this.#exec({ program, argv, options }, { asker, runs });
        const settled = call.then(() => {}, () => {}).finally(() => open.delete(settled));
        open.add(settled);
        return call;
      },
      close: async () => {
        for (const run of runs) run.kill(stopping("a program", asker.name));
        await Promise.all(open);
      },
    };
  }

  async #exec(start: Start, { asker, runs }: { asker: Asker; runs: Set<ProgramRun> }): Promise<ExecResult> {
    const { program, options } = start;
    if (!asker.programs.includes(program)) {
      const state = `the plugin "${asker.name}" does not name it among its programs in plugin.ts`;
      throw new ExecError("not_allowed", { program: program.slice(0, 200), state });
    }
    if (asker.signal.aborted) throw stopping(program, asker.name);
    if (this.#turns.isFull) {
      const state = `${this.#settings.waiting} others wait already; try again later, or raise exec.waiting`;
      throw new ExecError("busy", { program, state });
    }
    const signal = AbortSignal.any([asker.signal, ...(options.signal ? [options.signal] : [])]);
    const whyAborted = () =>
      asker.signal.aborted ? stopping(program, asker.name) : new ExecError("aborted", {
        program,
        state: "its caller gave up",
        cause: options.signal?.reason,
      });
    const giveBack = await this.#turns.take(signal).catch(() => {
      throw whyAborted();
    });
    try {
      const run = await this.#start(start);
      const onAbort = () => run.end(whyAborted());
      runs.add(run);
      signal.addEventListener("abort", onAbort, { once: true });
      if (signal.aborted) onAbort();
      try {
        return await this.#finish(run, { start, log: asker.log });
      } finally {
        signal.removeEventListener("abort", onAbort);
        runs.delete(run);
      }
    } finally {
      giveBack();
    }
  }

  async #start({ program, argv, options }: Start): Promise<ProgramRun> {
    const { path, programs, timeout, kill_after, max_output } = this.#settings;
    const { stdin, timeoutMs = timeout, maxOutputBytes = max_output } = options;
    const call = {
      program,
      argv: revealArguments(program, argv),
      env: childEnvironment({ program, path, own: this.#env, added: options.env }),
      stdin: stdin instanceof Secret ? stdin.reveal() : stdin,
      cwd: options.cwd?.path ?? "/",
      file: await findProgram(program, { path, programs }),
      timeoutMs,
      killAfterMs: kill_after,
      maxOutputBytes,
      wholeOutput: options.wholeOutput ?? false,
      onLine: options.onLine,
    };
    try {
      return new ProgramRun(call);
    } catch (cause) {
      throw new ExecError("not_executable", { program, state: "the runtime refuses to start it", cause });
    }
  }

  async #finish(run: ProgramRun, { start, log }: { start: Start; log: Logger }): Promise<ExecResult> {
    const { program, argv, options } = start;
    const started = performance.now();
    const details = { program, argv: shownArguments(argv), pid: run.pid };
    try {
      const end = await run.finish();
      const tookMs = Math.round(performance.now() - started);
      const result = resultOf(end, { start, tookMs });
      log.debug("a program ended", { ...details, exit_code: result.exitCode, took_ms: tookMs });
      return result;
    } catch (error) {
      const tookMs = Math.round(performance.now() - started);
      const reason = error instanceof Error ? withoutSecrets(error.message, secretsOf(options, argv)) : "";
      log.warn("a program failed", { ...details, reason, took_ms: tookMs });
      throw error;
    }
  }
}

/** Rejects what the caller did not expect with the last words of standard error. */
function resultOf(end: ProgramEnd, { start, tookMs }: { start: Start; tookMs: number }): ExecResult {
  const { program, argv, options } = start;
  const { exitCode, signal, stdout, stderr } = end;
  if (exitCode === null || !(options.exitCodes ?? [0]).includes(exitCode)) {
    const words = redactText(withoutSecrets(stderr.kept.text(), secretsOf(options, argv)));
    const tail = words.trim().slice(-tailCharacters);
    const how = exitCode === null ? `it was ended by ${signal}` : `it ended with status ${exitCode}`;
    throw new ExecError("failed", {
      program,
      state: tail === "" ? how : `${how}: ${tail.split("\n").at(-1)!.slice(-500)}`,
      exitCode: exitCode ?? undefined,
      signal: signal ?? undefined,
      stderrTail: tail,
    });
  }
  return {
    exitCode,
    stdout: stdout.kept.text(),
    stderr: stderr.kept.text(),
    stdoutOmittedBytes: stdout.kept.omittedBytes,
    stderrOmittedBytes: stderr.kept.omittedBytes,
    tookMs,
  };
}

function secretsOf({ env = {}, stdin }: ExecOptions, argv: Start["argv"]): Secret[] {
  return [...argv, ...Object.values(env), stdin].filter((value) => value instanceof Secret);
}

function stopping(program: string, plugin: string): ExecError {
  return new ExecError("stopping", { program, state: `the plugin "${plugin}" is stopping` });
}
