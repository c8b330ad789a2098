import { pause } from "../../../core/supervise.ts";
import { scanEvents } from "../search/scan_events.ts";
import type { SubjectCatalog } from "../search/subject_catalog.ts";
import type { EventStore } from "../store.ts";
import type { EventRow } from "../tables.ts";
import { Turns } from "../../../core/turns.ts";
import type { Replay } from "./replay_store.ts";
import type { Replays } from "./replays.ts";

/** Stored events handed out at once. */
const pageSize = 200;
/** Time after which a search for rare events tells how far it is, in milliseconds. */
const searchMs = 200;
/** How often a replay that another agent runs is looked at, in milliseconds. */
const pollMs = 250;

/**
 * The events of a replay behind `afterSeq` as they are republished, to its end. They are read from the log up to where
 * the replay has got, so that a slow reader misses nothing and can come back.
 */
export async function* replayFeed(
  replay: Replay,
  options: {
    store: EventStore;
    subjects: SubjectCatalog;
    replays: Replays;
    afterSeq: number | undefined;
    signal: AbortSignal;
  },
): AsyncGenerator<readonly EventRow[], void, void> {
  const { store, subjects, replays, signal } = options;
  const turns = new Turns();
  let position = Math.max(replay.afterSeq, options.afterSeq ?? 0);
  while (!signal.aborted) {
    const run = replays.running(replay.id);
    const known = run ? undefined : await replays.find(replay.id);
    const reached = (run?.progress ?? known)?.position ?? 0;
    if (position < reached) {
      const { rows, scannedTo } = await scanEvents(store, {
        filter: replay.filter,
        order: "asc",
        limit: pageSize,
        from: position + 1,
        to: reached,
        budgetMs: searchMs,
        subjects,
      });
      position = scannedTo;
      if (rows.length > 0) yield rows;
      await turns.next();
    } else if (run) await run.changed(signal);
    else if (known?.state === "running") await pause(pollMs, signal);
    else return;
  }
}
