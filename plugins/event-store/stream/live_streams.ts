import { Problem } from "../../../core/errors.ts";
import { type OpenStream, OpenStreams } from "../../../core/http/open_streams.ts";
import type { EventStoreConfig } from "../config.ts";
import type { EventTail } from "../log/event_tail.ts";
import type { EventFilter } from "../search/event_filter.ts";
import type { SubjectCatalog } from "../search/subject_catalog.ts";
import type { EventStore } from "../store.ts";
import type { EventRow } from "../tables.ts";
import { eventFeed, slowReader } from "./event_feed.ts";

/** What a stream is opened for. */
export interface StreamRequest {
  readonly filter: EventFilter;
  readonly afterSeq: number | undefined;
  /** False once the key that opened it is revoked or expired. */
  readonly stillAllowed: () => boolean;
  /** Where the events come from until the signal is aborted; default: the log, its end included. */
  readonly feed?: (signal: AbortSignal) => OpenStream<EventRow>["feed"];
}

interface StreamsOptions {
  readonly store: EventStore;
  readonly tail: EventTail;
  readonly subjects?: SubjectCatalog;
  readonly settings: EventStoreConfig["stream"];
}

/** All live connections that follow events. */
export class LiveStreams {
  readonly #options: StreamsOptions;
  readonly #streams: OpenStreams;

  constructor(options: StreamsOptions) {
    this.#options = options;
    const { max_clients: maxStreams, keepalive: keepaliveMs } = options.settings;
    this.#streams = new OpenStreams({ maxStreams, keepaliveMs });
  }

  get count(): number {
    return this.#streams.count;
  }

  /** Silence after which a stream sends a sign of life, in milliseconds. */
  get keepaliveMs(): number {
    return this.#streams.keepaliveMs;
  }

  /** Rejects with Problem 503 where too many are open, 409 where the reader has seen more than this log holds. */
  async open({ filter, afterSeq, stillAllowed, feed }: StreamRequest): Promise<OpenStream<EventRow>> {
    const { store, tail, subjects, settings: { buffer } } = this.#options;
    if (afterSeq !== undefined && afterSeq > tail.position && afterSeq > await store.headSeq()) {
      throw beyondEnd(afterSeq);
    }
    return this.#streams.open<EventRow>({
      stillAllowed,
      feed: (signal, fail) => {
        const onOverflow = () => fail(slowReader(buffer));
        return feed?.(signal) ??
          eventFeed({ store, tail, subjects, filter, afterSeq, buffer, signal, onOverflow });
      },
    });
  }

  /** Ends every stream and opens none any more. */
  stop(): void {
    this.#streams.stop();
  }
}

function beyondEnd(afterSeq: number): Problem {
  return new Problem(409, "beyond_end", {
    detail:
      `The log does not reach to ${afterSeq}: it is another one than before, perhaps restored from a backup`,
  });
}
