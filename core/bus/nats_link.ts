import { setTimeout as pause } from "node:timers/promises";
import { ConfigurationError } from "../errors.ts";
import type { Logger } from "../log.ts";
import {
  checkLogin,
  connectFault,
  connectNats,
  type NatsConnection,
  versionFault,
} from "./nats_connection.ts";
import { NatsSession } from "./nats_session.ts";
import { busAddresses, type BusSettings } from "./settings.ts";
import { settleWithin } from "./settle_within.ts";

export interface NatsLinkOptions {
  readonly settings: BusSettings;
  readonly clientName: string;
  readonly log: Logger;
  /** Called with each new connection. */
  readonly onSession: (session: NatsSession) => void;
  /** Called on every connect, disconnect and problem. */
  readonly onChange: () => void;
}

type Attempt =
  | { readonly kind: "connected"; readonly session: NatsSession }
  | { readonly kind: "failed" | "outdated"; readonly problem: string };

/** How long opening waits for the first connection before the rest happens in the background. */
const firstConnectMs = 6000;
const shortestPauseMs = 100;
const longestPauseMs = 5000;
/** An old server does not grow young by itself. */
const outdatedPauseMs = 30_000;
/** A connection that ends earlier than this counts as a failed attempt: the next pause is longer. */
const steadyMs = 10_000;

/** Keeps a connection to NATS for as long as it is open: connects again for ever, with growing, jittered pauses. */
export class NatsLink {
  readonly #options: NatsLinkOptions;
  readonly #closing = new AbortController();
  #session: NatsSession | undefined;
  #problem: string | undefined;
  #connects = 0;
  #running: Promise<void> | undefined;

  constructor(options: NatsLinkOptions) {
    this.#options = options;
  }

  /** The connection, while there is one. */
  get session(): NatsSession | undefined {
    return this.#session;
  }

  /** Why there is none. */
  get problem(): string | undefined {
    return this.#problem;
  }

  /** Connections made after the first one. */
  get reconnects(): number {
    return Math.max(0, this.#connects - 1);
  }

  /**
   * Resolves connected, or not yet. Rejects with ConfigurationError when the first server it reaches is too old, or
   * no server could accept what is configured to log in with.
   */
  async open(): Promise<void> {
    checkLogin(this.#options.settings);
    const first = this.#attempt();
    this.#running = this.#run(first);
    if (!await settleWithin(first, firstConnectMs)) return;
    const attempt = await first;
    if (attempt.kind !== "outdated") return;
    await this.close();
    throw new ConfigurationError([attempt.problem]);
  }

  /** Closes the connection and stops connecting. */
  async close(): Promise<void> {
    this.#closing.abort();
    await this.#session?.close();
    // A server that neither answers nor refuses holds its attempt for a while; it then ends by itself.
    if (this.#running) await settleWithin(this.#running, 1000);
  }

  async #run(first: Promise<Attempt>): Promise<void> {
    let pauseMs = shortestPauseMs;
    for (let next = first; !this.#closing.signal.aborted; next = this.#attempt()) {
      const attempt = await next;
      const startedAt = performance.now();
      if (attempt.kind === "connected") await this.#untilEnded(attempt.session);
      else this.#fail(attempt.problem);
      const steady = performance.now() - startedAt > steadyMs;
      pauseMs = steady ? shortestPauseMs : Math.min(pauseMs * 2, longestPauseMs);
      await this.#pause(attempt.kind === "outdated" ? outdatedPauseMs : pauseMs);
    }
  }

  async #attempt(): Promise<Attempt> {
    const { settings, clientName } = this.#options;
    const where = `Cannot use "${busAddresses(settings.url).join(",")}"`;
    let connection: NatsConnection | undefined;
    try {
      connection = await connectNats(settings, clientName);
      this.#closing.signal.throwIfAborted();
      const fault = versionFault(connection);
      if (fault === undefined) return { kind: "connected", session: this.#begin(connection) };
      await connection.close();
      return { kind: "outdated", problem: `${where}: ${fault}` };
    } catch (error) {
      await connection?.close();
      return { kind: "failed", problem: `${where}: ${connectFault(error)}` };
    }
  }

  #begin(connection: NatsConnection): NatsSession {
    const { log, onSession, onChange } = this.#options;
    const session = new NatsSession(connection, log);
    this.#session = session;
    this.#problem = undefined;
    this.#connects++;
    log.info("Connected to NATS", { server: connection.getServer(), version: connection.info?.version });
    onSession(session);
    onChange();
    return session;
  }

  async #untilEnded(session: NatsSession): Promise<void> {
    if (!session.ended.aborted) {
      await new Promise((resolve) => session.ended.addEventListener("abort", resolve, { once: true }));
    }
    this.#session = undefined;
    if (!this.#closing.signal.aborted) this.#fail(`Lost the connection to NATS: ${session.fault}`);
  }

  #fail(problem: string): void {
    if (problem !== this.#problem) this.#options.log.warn(`${problem}; trying again`);
    this.#problem = problem;
    this.#options.onChange();
  }

  async #pause(ms: number): Promise<void> {
    const jittered = ms * (0.5 + Math.random() / 2);
    await pause(jittered, undefined, { signal: this.#closing.signal }).catch(() => {
      // Closing ends the pause.
    });
  }
}
