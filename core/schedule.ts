import type { Clock } from "./clock.ts";
import { Cron } from "./cron.ts";
import { pause } from "./supervise.ts";

/** Longest sleep: a clock that is set anew is noticed after that, in milliseconds. */
const longestWaitMs = 30_000;

/** When a plugin's work is to be done. */
export interface ScheduleOptions {
  /** IANA name such as `Europe/Berlin`; default UTC. */
  readonly timezone?: string;
  /** Begins up to so much later, by chance, so that many agents do not begin at once; default 0. */
  readonly jitterMs?: number;
}

interface ScheduleParts extends ScheduleOptions {
  readonly work: () => unknown;
  readonly onError: (error: unknown) => void;
  readonly clock: Clock;
  /** 0 to 1. */
  readonly random?: () => number;
}

/**
 * Work on a cron pattern, never twice at once: what becomes due meanwhile is skipped. The returned function starts it, and
 * returns the way to stop it; work that runs goes on. Throws on a bad pattern, zone or jitter.
 */
export function schedule(
  pattern: string,
  { work, onError, clock, timezone, jitterMs = 0, random = Math.random }: ScheduleParts,
): () => () => void {
  const cron = new Cron(pattern, { timezone });
  if (!(jitterMs >= 0 && jitterMs <= 86_400_000)) {
    throw new Error(`Cannot schedule "${pattern}": jitterMs has to be 0 to 86,400,000, one day`);
  }
  const run = async (signal: AbortSignal) => {
    let afterMs = clock.now();
    while (!signal.aborted) {
      const plannedMs = cron.next(afterMs);
      if (plannedMs === undefined) return;
      const dueMs = plannedMs + random() * jitterMs;
      const wasSetBack = !await reach(dueMs, { clock, signal });
      if (signal.aborted) return;
      if (!wasSetBack) {
        try {
          await work();
        } catch (error) {
          onError(error);
        }
      }
      // Within the same jitter nothing comes twice; a clock that was set back is followed.
      afterMs = wasSetBack ? clock.now() : Math.max(plannedMs, clock.now());
    }
  };
  return () => {
    const stopping = new AbortController();
    run(stopping.signal).catch(onError);
    return () => stopping.abort();
  };
}

/** Waits for a time; false where the clock was set back meanwhile, and so other times come first. */
async function reach(
  dueMs: number,
  { clock, signal }: { clock: Clock; signal: AbortSignal },
): Promise<boolean> {
  let lastMs = clock.now();
  for (let nowMs = lastMs; nowMs < dueMs && !signal.aborted; nowMs = clock.now()) {
    if (nowMs < lastMs - 1000) return false;
    lastMs = nowMs;
    await pause(Math.min(dueMs - nowMs, longestWaitMs), signal);
  }
  return true;
}
