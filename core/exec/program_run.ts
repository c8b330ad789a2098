import { type ChildProcessWithoutNullStreams, spawn } from "node:child_process";
import process from "node:process";
import { ExecError, type ExecErrorCode } from "./exec_error.ts";
import type { ExecLine } from "./exec.ts";
import { OutputReader } from "./output_reader.ts";

/** After its leader has ended, what is left of a group gets this long before it is killed. */
const lingerMs = 500;
/** Pipes that stay open although the whole group is dead belong to somebody who left it. */
const quietMs = 250;

/** One program to start, all of it decided. */
export interface ProgramCall {
  /** Name that the plugin knows it by. */
  readonly program: string;
  readonly file: string;
  readonly argv: readonly string[];
  readonly cwd: string;
  readonly env: Readonly<Record<string, string>>;
  readonly stdin: string | Uint8Array | undefined;
  readonly timeoutMs: number;
  readonly killAfterMs: number;
  readonly maxOutputBytes: number;
  readonly wholeOutput: boolean;
  readonly onLine: ((line: ExecLine) => unknown) | undefined;
}

/** How a program ended. */
export interface ProgramEnd {
  readonly exitCode: number | null;
  readonly signal: string | null;
  readonly stdout: OutputReader;
  readonly stderr: OutputReader;
}

/** One child with its process group, from its start until nothing of it is left. */
export class ProgramRun {
  readonly #call: ProgramCall;
  readonly #child: ChildProcessWithoutNullStreams;
  readonly #stdout: OutputReader;
  readonly #stderr: OutputReader;
  #timers: ReturnType<typeof setTimeout>[] = [];
  #leaderEnded = false;
  #ended = false;
  #fault: { readonly error: unknown } | undefined;

  /** Starts it. Throws what the runtime throws where it refuses at once. */
  constructor(call: ProgramCall) {
    this.#call = call;
    // Detached: the leader of a new group, which can be ended as a whole; the agent's own Ctrl-C does not reach it.
    this.#child = spawn(call.file, call.argv, {
      cwd: call.cwd,
      env: call.env,
      detached: true,
      shell: false,
      stdio: ["pipe", "pipe", "pipe"],
      windowsHide: true,
    });
    this.#stdout = this.#reader("stdout");
    this.#stderr = this.#reader("stderr");
  }

  /** Resolves when the child has ended and its output is read; rejects with why it was ended, or did not start. */
  async finish(): Promise<ProgramEnd> {
    const exited = this.#exited();
    this.#feed();
    this.#later(this.#call.timeoutMs, () => {
      this.end(this.#error("timeout", `it did not end within ${this.#call.timeoutMs} ms and was ended`));
    });
    try {
      const { exitCode, signal } = await exited;
      await this.#outputRead();
      if (this.#fault) throw this.#fault.error;
      return { exitCode, signal, stdout: this.#stdout, stderr: this.#stderr };
    } finally {
      this.#ended = true;
      for (const timer of this.#timers.splice(0)) clearTimeout(timer);
    }
  }

  /** Asks the whole group to end, and kills it after the grace period; `finish` rejects with the first `error`. */
  end(error: unknown): void {
    if (this.#ended || this.#fault) return;
    this.#fault = { error };
    this.#signalGroup("SIGTERM");
    this.#later(this.#call.killAfterMs, () => this.#killGroup());
  }

  /** Kills the whole group at once. */
  kill(error: unknown): void {
    if (this.#ended) return;
    this.#fault ??= { error };
    this.#killGroup();
  }

  get pid(): number | undefined {
    return this.#child.pid;
  }

  #reader(name: ExecLine["stream"]): OutputReader {
    const { maxOutputBytes, wholeOutput, onLine } = this.#call;
    return new OutputReader(this.#child[name], {
      name,
      maxBytes: maxOutputBytes,
      onLine,
      onOverflow: () => {
        if (!wholeOutput || this.#fault) return;
        const state = `it printed more than ${maxOutputBytes} bytes on ${name}; ask it for less`;
        this.end(this.#error("output_too_large", state));
      },
      onError: (error) => this.end(error),
    });
  }

  #exited(): Promise<{ exitCode: number | null; signal: string | null }> {
    return new Promise((resolve, reject) => {
      this.#child.once("error", (error) => {
        if (this.#child.pid === undefined) reject(this.#notStarted(error));
      });
      this.#child.once("exit", (exitCode, signal) => {
        this.#leaderEnded = true;
        resolve({ exitCode, signal });
      });
    });
  }

  /** What the leader left behind in its group holds the pipes perhaps, and must not live on in any case. */
  async #outputRead(): Promise<void> {
    const linger = this.#later(lingerMs, () => this.#killGroup());
    await Promise.all([this.#stdout.finished, this.#stderr.finished]);
    clearTimeout(linger);
    this.#signalGroup("SIGKILL");
  }

  #feed(): void {
    const { stdin } = this.#child;
    stdin.on("error", () => stdin.destroy()); // it need not read what it gets
    if (this.#call.stdin === undefined) stdin.end();
    else stdin.end(this.#call.stdin);
  }

  #killGroup(): void {
    this.#signalGroup("SIGKILL");
    if (!this.#leaderEnded) {
      this.#later(quietMs, () => this.#killGroup()); // until it is seen to be dead, pipes are not left
      return;
    }
    for (const reader of [this.#stdout, this.#stderr]) reader.leaveWhenQuiet(quietMs);
  }

  #signalGroup(signal: "SIGTERM" | "SIGKILL"): void {
    const { pid } = this.#child;
    if (pid === undefined) return;
    try {
      process.kill(-pid, signal);
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      // ESRCH: nobody is left. EPERM: only processes that took other rights (macOS: zombies, too).
      if (code !== "ESRCH" && code !== "EPERM") throw error;
    }
  }

  #later(delayMs: number, work: () => void): ReturnType<typeof setTimeout> {
    const timer = setTimeout(work, delayMs);
    this.#timers.push(timer);
    return timer;
  }

  #notStarted(error: Error): ExecError {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "ENOENT") {
      return this.#error("not_executable", "what its first line names as interpreter is not there", error);
    }
    if (code === "EACCES" || code === "ENOEXEC" || code === "EPERM") {
      return this.#error("not_executable", `the system refuses to run "${this.#call.file}" (${code})`, error);
    }
    if (code === "E2BIG") {
      return this.#error("invalid_argument", "arguments and environment are too long together", error);
    }
    return this.#error("not_executable", `it could not be started (${code ?? error.message})`, error);
  }

  #error(code: ExecErrorCode, state: string, cause?: unknown): ExecError {
    return new ExecError(code, { program: this.#call.program, state, cause });
  }
}
