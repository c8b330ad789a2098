import { setTimeout as pause } from "node:timers/promises";
import type { NatsSession } from "./nats_session.ts";
import { jetStreamFault, NatsStream, type NatsStreamOptions } from "./nats_stream.ts";

export interface StreamKeeperOptions extends NatsStreamOptions {
  /** Called whenever the stream is there, anew for each connection. */
  readonly onReady: (session: NatsSession, stream: NatsStream) => void;
  /** Called when the problem comes, changes or goes. */
  readonly onChange: () => void;
}

const shortestPauseMs = 250;
const longestPauseMs = 10_000;

/** Sees to it that the stream is there: on each new connection, and again when it went missing. */
export class NatsStreamKeeper {
  readonly #options: StreamKeeperOptions;
  #session: NatsSession | undefined;
  #stream: NatsStream | undefined;
  #problem: string | undefined;
  #looked = false;

  constructor(options: StreamKeeperOptions) {
    this.#options = options;
  }

  /** The stream, while it is there. */
  get stream(): NatsStream | undefined {
    return this.#session?.ended.aborted ? undefined : this.#stream;
  }

  /** Why it is not there. */
  get problem(): string | undefined {
    return this.#problem;
  }

  /** Whether it has been looked for on this connection, with whatever result. */
  get looked(): boolean {
    return this.#looked;
  }

  /** Looks for the stream until it is there or the session ends; resolves after the first attempt. */
  async keep(session: NatsSession): Promise<void> {
    this.#session = session;
    this.#stream = undefined;
    this.#problem = undefined;
    this.#looked = false;
    if (!await this.#attempt(session)) void this.#repeat(session);
  }

  /** Told by whoever finds that the stream is not there any more. */
  missing(stream: NatsStream): void {
    if (this.#session === undefined || this.#stream !== stream) return;
    this.#stream = undefined;
    this.#problem = `The stream "${stream.name}" is gone from the server; making it anew`;
    this.#options.log.warn(this.#problem);
    this.#options.onChange();
    void this.#repeat(this.#session);
  }

  async #repeat(session: NatsSession): Promise<void> {
    let pauseMs = shortestPauseMs;
    do {
      await pause(pauseMs * (0.5 + Math.random() / 2), undefined, { signal: session.ended }).catch(() => {
        // The session ended; the next one begins anew.
      });
      pauseMs = Math.min(pauseMs * 2, longestPauseMs);
    } while (!session.ended.aborted && !await this.#attempt(session));
  }

  /** True when there is nothing more to do on this session. */
  async #attempt(session: NatsSession): Promise<boolean> {
    const { settings, log, onReady, onChange } = this.#options;
    try {
      const stream = await NatsStream.open(session.connection, this.#options);
      if (session.ended.aborted) return true;
      this.#stream = stream;
      this.#problem = undefined;
      onReady(session, stream);
    } catch (error) {
      if (session.ended.aborted) return true;
      const problem = `Cannot use the stream "${settings.name}": ${jetStreamFault(error)}`;
      if (problem !== this.#problem) log.warn(`${problem}; trying again`);
      this.#problem = problem;
    }
    this.#looked = true;
    onChange();
    return this.#stream !== undefined;
  }
}
