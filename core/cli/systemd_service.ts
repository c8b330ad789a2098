import { execFile } from "node:child_process";
import process from "node:process";
import type { Logger } from "../log.ts";
import type { Terminal } from "./terminal.ts";

/** A message takes milliseconds; one that takes longer than this is given up. */
const messageTimeoutMs = 5_000;

/**
 * Tells systemd how the agent is where it runs as a unit of `Type=notify`; anywhere else its methods do nothing.
 * The socket of systemd takes datagrams, which neither runtime sends, so `systemd-notify` carries each message.
 */
export class SystemdService implements Disposable {
  readonly #env: Readonly<Record<string, string>> | undefined;
  readonly #watchdogMs: number | undefined;
  readonly #log: Logger;
  #watchdog: ReturnType<typeof setInterval> | undefined;
  #beating = false;

  constructor(env: Terminal["env"], log: Logger) {
    this.#log = log;
    const { NOTIFY_SOCKET, PATH = "/usr/bin:/bin" } = env;
    if (!NOTIFY_SOCKET) return;
    this.#env = { NOTIFY_SOCKET, PATH };
    this.#watchdogMs = watchdogMs(env);
  }

  /** The agent answers; from now on the watchdog hears of it twice in each of its periods. */
  ready(url: string): void {
    this.#tell(["READY=1", `STATUS=Answers at ${url}`]);
    if (this.#env === undefined || this.#watchdogMs === undefined) return;
    this.#watchdog = setInterval(() => this.#beat(), this.#watchdogMs / 2);
  }

  /** The agent follows its configuration anew; resolves when that has been told, so that what is told next comes after. */
  reloading(): Promise<void> {
    // Without MONOTONIC_USEC: it is for Type=notify-reload, and Deno knows only the time since its own start.
    return new Promise((resolve) => this.#tell(["RELOADING=1", "STATUS=Reloading"], resolve));
  }

  /** It has, or goes on as before. */
  reloaded(url: string): Promise<void> {
    return new Promise((resolve) => this.#tell(["READY=1", `STATUS=Answers at ${url}`], resolve));
  }

  /** The agent has begun to stop. */
  stopping(): void {
    this.#tell(["STOPPING=1", "STATUS=Stopping"]);
  }

  /** Ends the beat for the watchdog. */
  [Symbol.dispose](): void {
    clearInterval(this.#watchdog);
  }

  #beat(): void {
    if (this.#beating) return;
    this.#beating = true;
    this.#tell(["WATCHDOG=1"], () => this.#beating = false);
  }

  #tell(message: readonly string[], told: () => void = () => {}): void {
    if (this.#env === undefined) return told();
    execFile("systemd-notify", message, { env: this.#env, timeout: messageTimeoutMs }, (error) => {
      told();
      if (error) this.#log.warn("systemd could not be told", { state: message[0], error });
    });
  }
}

/** The watchdog's period in milliseconds; undefined where none watches this process. */
function watchdogMs({ WATCHDOG_USEC = "", WATCHDOG_PID }: Terminal["env"]): number | undefined {
  const isOurs = WATCHDOG_PID === undefined || WATCHDOG_PID === String(process.pid);
  return isOurs && /^[1-9]\d{0,14}$/.test(WATCHDOG_USEC) ? Number(WATCHDOG_USEC) / 1000 : undefined;
}
