import type { Logger } from "./log.ts";
import { Wakeup } from "./wakeup.ts";

const firstPauseMs = 1000;
const longestPauseMs = 60_000;
/** A loop that ran this long before it failed starts again with the first pause. */
const healthyAfterMs = 60_000;

interface SupervisedLoop {
  readonly name: string;
  readonly signal: AbortSignal;
  readonly log: Logger;
  readonly onError: (error: unknown) => void;
}

/** Runs `loop` until the signal is aborted, again with growing, jittered pauses when it throws or ends early. */
export async function supervise(
  loop: (signal: AbortSignal) => Promise<void>,
  { name, signal, log, onError }: SupervisedLoop,
): Promise<void> {
  let pauseMs = firstPauseMs;
  while (!signal.aborted) {
    const started = performance.now();
    try {
      await loop(signal);
      if (signal.aborted) return;
      log.warn("a loop ended by itself and is started again", { loop: name });
    } catch (error) {
      if (signal.aborted) return;
      onError(error);
      log.error("a loop failed and is started again", { loop: name, pause_ms: pauseMs, error });
    }
    if (performance.now() - started > healthyAfterMs) pauseMs = firstPauseMs;
    await pause(pauseMs * (0.5 + Math.random() / 2), signal);
    pauseMs = Math.min(pauseMs * 2, longestPauseMs);
  }
}

/** Resolves after `durationMs`, or at once when the signal is aborted; never rejects. */
export function pause(durationMs: number, signal: AbortSignal): Promise<void> {
  return new Wakeup().wait(durationMs, signal);
}
