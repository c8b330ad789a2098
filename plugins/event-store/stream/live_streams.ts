import { Problem } from "../../../core/errors.ts";
import type { EventStoreConfig } from "../config.ts";
import { eventFeed, slowReader } from "./event_feed.ts";
import type { EventFilter } from "../search/event_filter.ts";
import type { EventTail } from "../log/event_tail.ts";
import type { SubjectCatalog } from "../search/subject_catalog.ts";
import type { EventStore } from "../store.ts";
import type { EventRow } from "../tables.ts";

/** How soon a stream ends whose key was revoked, at the latest. */
const longestSweepMs = 15_000;

/** What a stream is opened for. */
export interface StreamRequest {
  readonly filter: EventFilter;
  readonly afterSeq: number | undefined;
  /** False once the key that opened it is revoked or expired. */
  readonly stillAllowed: () => boolean;
  /** Where the events come from until the signal is aborted; default: the log, its end included. */
  readonly feed?: (signal: AbortSignal) => OpenStream["feed"];
}

/** One open stream: its events, and the way to end it. */
export interface OpenStream {
  readonly feed: AsyncGenerator<readonly EventRow[], void, void>;
  /** Aborted when the stream ends, by either side. */
  readonly signal: AbortSignal;
  /** Aborted when we end it for a reason that the reader should know: a Problem. */
  readonly failure: AbortSignal;
  close(): void;
}

interface StreamsOptions {
  readonly store: EventStore;
  readonly tail: EventTail;
  readonly subjects?: SubjectCatalog;
  readonly settings: EventStoreConfig["stream"];
}

/** All live connections: bounded in number, ended together when the plugin stops. */
export class LiveStreams {
  readonly #open = new Map<OpenStream, () => unknown>();
  #sweeper: ReturnType<typeof setInterval> | undefined;
  readonly #options: StreamsOptions;
  readonly #stopping = new AbortController();

  constructor(options: StreamsOptions) {
    this.#options = options;
  }

  get count(): number {
    return this.#open.size;
  }

  /** Silence after which a stream sends a sign of life, in milliseconds. */
  get keepaliveMs(): number {
    return this.#options.settings.keepalive;
  }

  /** Rejects with Problem 503 where too many are open, 409 where the reader has seen more than this log holds. */
  async open({ filter, afterSeq, stillAllowed, feed }: StreamRequest): Promise<OpenStream> {
    const { store, tail, subjects, settings } = this.#options;
    if (this.#stopping.signal.aborted || this.#open.size >= settings.max_clients) {
      throw new Problem(503, "too_many_streams", {
        detail: `${this.#open.size} streams are open, which is all this agent allows; try again later`,
      });
    }
    if (afterSeq !== undefined && afterSeq > tail.position && afterSeq > await store.headSeq()) {
      throw beyondEnd(afterSeq);
    }
    const closing = new AbortController();
    const failing = new AbortController();
    const { signal } = closing;
    const { buffer } = settings;
    const onOverflow = () => failing.abort(slowReader(buffer));
    const stream: OpenStream = {
      feed: feed?.(signal) ??
        eventFeed({ store, tail, subjects, filter, afterSeq, buffer, signal, onOverflow }),
      signal,
      failure: failing.signal,
      close: () => {
        this.#open.delete(stream);
        if (this.#open.size === 0) clearInterval(this.#sweeper);
        closing.abort();
      },
    };
    if (this.#open.size === 0) {
      this.#sweeper = setInterval(() => this.#endRevoked(), Math.min(settings.keepalive, longestSweepMs));
    }
    this.#open.set(stream, () => stillAllowed() || failing.abort(keyEnded()));
    return stream;
  }

  #endRevoked(): void {
    for (const check of this.#open.values()) check();
  }

  /** Ends every stream and opens none any more. */
  stop(): void {
    this.#stopping.abort();
    for (const stream of [...this.#open.keys()]) stream.close();
  }
}

function keyEnded(): Problem {
  return new Problem(401, "key_ended", {
    detail: "The key that opened this stream was revoked or has expired",
  });
}

function beyondEnd(afterSeq: number): Problem {
  return new Problem(409, "beyond_end", {
    detail:
      `The log does not reach to ${afterSeq}: it is another one than before, perhaps restored from a backup`,
  });
}
