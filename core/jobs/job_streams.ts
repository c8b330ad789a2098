import { Problem } from "../errors.ts";
import type { JobBoard } from "./job_board.ts";
import { jobFeed } from "./job_feed.ts";
import type { JobSummary } from "./job_tables.ts";

/** Silence after which a stream sends a sign of life, and how soon one ends whose key was revoked. */
const keepaliveMs = 15_000;

/** What a stream is opened for. */
export interface JobStreamRequest {
  readonly accepts: (row: JobSummary) => boolean;
  readonly first: () => Promise<readonly JobSummary[]>;
  readonly endsWithJob: boolean;
  /** False once the key that opened it is revoked or expired. */
  readonly stillAllowed: () => boolean;
}

/** One open stream: its jobs, and the way to end it. */
export interface JobStream {
  readonly feed: AsyncGenerator<readonly JobSummary[], void, void>;
  /** Aborted when the stream ends, by either side. */
  readonly signal: AbortSignal;
  /** Aborted when we end it for a reason that the reader should know: a Problem. */
  readonly failure: AbortSignal;
  close(): void;
}

interface JobStreamsOptions {
  readonly board: JobBoard;
  readonly maxStreams: number;
  /** Told when the first stream opens and when the last one has closed. */
  readonly onWatched: (isWatched: boolean) => void;
}

/** All connections that follow jobs: bounded in number, ended together. */
export class JobStreams {
  readonly keepaliveMs = keepaliveMs;
  readonly #options: JobStreamsOptions;
  readonly #open = new Map<JobStream, () => void>();
  #isStopped = false;
  #sweeper: ReturnType<typeof setInterval> | undefined;

  constructor(options: JobStreamsOptions) {
    this.#options = options;
  }

  get count(): number {
    return this.#open.size;
  }

  /** Throws Problem 503 where too many are open. */
  open({ accepts, first, endsWithJob, stillAllowed }: JobStreamRequest): JobStream {
    const { board, maxStreams, onWatched } = this.#options;
    if (this.#isStopped || this.#open.size >= maxStreams) {
      throw new Problem(503, "too_many_streams", {
        detail: `${this.#open.size} streams are open, which is all this agent allows; try again later`,
      });
    }
    const ending = new AbortController();
    const failing = new AbortController();
    const { signal } = ending;
    const close = () => {
      if (!this.#open.delete(stream)) return;
      ending.abort();
      if (this.#open.size > 0) return;
      clearInterval(this.#sweeper);
      onWatched(false);
    };
    const stream: JobStream = {
      feed: jobFeed({
        board,
        accepts,
        first,
        endsWithJob,
        signal,
        onOverflow: () => failing.abort(slowReader()),
      }),
      signal,
      failure: failing.signal,
      close,
    };
    this.#open.set(stream, () => stillAllowed() || failing.abort(keyEnded()));
    if (this.#open.size === 1) {
      this.#sweeper = setInterval(() => this.#endRevoked(), keepaliveMs);
      onWatched(true);
    }
    return stream;
  }

  /** Ends every stream, and opens none any more. */
  stop(): void {
    this.#isStopped = true;
    for (const stream of [...this.#open.keys()]) stream.close();
  }

  #endRevoked(): void {
    for (const check of [...this.#open.values()]) check();
  }
}

function slowReader(): Problem {
  return new Problem(429, "slow_reader", { detail: "The reader fell too far behind; connect again" });
}

function keyEnded(): Problem {
  return new Problem(401, "key_ended", {
    detail: "The key that opened this stream was revoked or has expired",
  });
}
