import { isEnd } from "./job_state.ts";
import type { JobSummary } from "./job_tables.ts";
import type { JobBoard } from "./job_board.ts";

/** Jobs whose news may wait for one reader; of each only the last state does. */
const maxPending = 10_000;
/** Jobs handed out at once. */
const pageSize = 500;

interface JobFeedOptions {
  readonly board: JobBoard;
  /** Which jobs the reader wants, and may see. */
  readonly accepts: (row: JobSummary) => boolean;
  /** Read once the feed listens, so that nothing is missed between the two. */
  readonly first: () => Promise<readonly JobSummary[]>;
  /** Whether the feed ends with the first job that ends. */
  readonly endsWithJob: boolean;
  readonly signal: AbortSignal;
  /** Called once, when the reader fell too far behind. */
  readonly onOverflow: () => void;
}

/** How jobs are, then how they change: each time the last state of those that changed since the reader looked. */
export async function* jobFeed(options: JobFeedOptions): AsyncGenerator<readonly JobSummary[], void, void> {
  const { board, accepts, first, endsWithJob, signal, onOverflow } = options;
  const pending = new Map<string, JobSummary>();
  /** What the reader knows of unfinished jobs: of several agents the news may come in another order. */
  const known = new Map<string, JobSummary>();
  let wake: (() => void) | undefined;
  const take = (row: JobSummary) => {
    if (!accepts(row)) return;
    const before = pending.get(row.id) ?? known.get(row.id);
    if (before && !isNewer(row, before)) return;
    pending.set(row.id, row);
    if (pending.size > maxPending) onOverflow();
    wake?.();
  };
  const stopListening = board.listen(take);
  const onAbort = () => {
    stopListening(); // here too: a reader that is gone never comes back to `finally`
    wake?.();
  };
  signal.addEventListener("abort", onAbort, { once: true });
  try {
    for (const row of await first()) take(row);
    while (!signal.aborted) {
      if (pending.size === 0) await new Promise<void>((resolve) => wake = resolve);
      wake = undefined;
      const rows = [...pending.values()].slice(0, pageSize);
      for (const row of rows) {
        pending.delete(row.id);
        if (isEnd(row.state)) known.delete(row.id);
        else known.set(row.id, row);
      }
      if (rows.length > 0) yield rows;
      if (endsWithJob && rows.some(({ state }) => isEnd(state))) return;
    }
  } finally {
    stopListening();
    signal.removeEventListener("abort", onAbort);
  }
}

function isNewer(row: JobSummary, before: JobSummary): boolean {
  if (row.version !== before.version) return row.version > before.version;
  return row.progress !== before.progress || row.message !== before.message;
}
