import { Problem } from "../errors.ts";

/** How soon a stream ends whose key was revoked, at the latest. */
const longestSweepMs = 15_000;

/** One open stream: what it sends, and the way to end it. */
export interface OpenStream<Item> {
  readonly feed: AsyncGenerator<readonly Item[], void, void>;
  /** Aborted when the stream ends, by either side. */
  readonly signal: AbortSignal;
  /** Aborted when we end it for a reason that the reader should know: a Problem. */
  readonly failure: AbortSignal;
  close(): void;
}

/** What a stream is opened for. */
export interface StreamSource<Item> {
  /** Where the items come from until the signal is aborted; `fail` ends the stream for a reason that the reader is told. */
  readonly feed: (signal: AbortSignal, fail: (problem: Problem) => void) => OpenStream<Item>["feed"];
  /** False once the key that opened it is revoked or expired. */
  readonly stillAllowed: () => boolean;
}

interface OpenStreamsOptions {
  readonly maxStreams: number;
  /** Silence after which a stream sends a sign of life, in milliseconds. */
  readonly keepaliveMs: number;
  /** Told when the first stream opens and when the last one has closed. */
  readonly onWatched?: (isWatched: boolean) => void;
}

/** The live connections of one part of the agent: bounded in number, ended with their keys, and all together. */
export class OpenStreams {
  readonly keepaliveMs: number;
  readonly #options: OpenStreamsOptions;
  readonly #open = new Map<() => void, () => unknown>();
  #isStopped = false;
  #sweeper: ReturnType<typeof setInterval> | undefined;

  constructor(options: OpenStreamsOptions) {
    this.#options = options;
    this.keepaliveMs = options.keepaliveMs;
  }

  get count(): number {
    return this.#open.size;
  }

  /** Throws Problem 503 where too many are open. */
  open<Item>({ feed, stillAllowed }: StreamSource<Item>): OpenStream<Item> {
    const { maxStreams, onWatched } = this.#options;
    if (this.#isStopped || this.#open.size >= maxStreams) {
      throw new Problem(503, "too_many_streams", {
        detail: `${this.#open.size} streams are open, which is all this agent allows; try again later`,
      });
    }
    const closing = new AbortController();
    const failing = new AbortController();
    const fail = (problem: Problem) => failing.abort(problem);
    const close = () => {
      if (!this.#open.delete(close)) return;
      closing.abort();
      if (this.#open.size > 0) return;
      clearInterval(this.#sweeper);
      onWatched?.(false);
    };
    const items = feed(closing.signal, fail);
    this.#open.set(close, () => stillAllowed() || fail(keyEnded()));
    if (this.#open.size === 1) {
      this.#sweeper = setInterval(() => this.#endRevoked(), Math.min(this.keepaliveMs, longestSweepMs));
      onWatched?.(true);
    }
    return { feed: items, signal: closing.signal, failure: failing.signal, close };
  }

  /** Ends every stream and opens none any more. */
  stop(): void {
    this.#isStopped = true;
    for (const close of [...this.#open.keys()]) close();
  }

  #endRevoked(): void {
    for (const check of [...this.#open.values()]) check();
  }
}

function keyEnded(): Problem {
  return new Problem(401, "key_ended", {
    detail: "The key that opened this stream was revoked or has expired",
  });
}
