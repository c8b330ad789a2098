import type { Retry } from "./job.ts";

const defaults = { maxAttempts: 3, firstDelayMs: 2000, factor: 2, maxDelayMs: 60_000 };

/** The policy with its defaults filled in. Throws on numbers that make no sense. */
export function fullRetry(retry: Retry = {}): Required<Retry> {
  const full = { ...defaults, ...retry };
  const fine = Number.isInteger(full.maxAttempts) && full.maxAttempts >= 1 && full.firstDelayMs >= 0 &&
    full.factor >= 1 && full.maxDelayMs >= 0;
  if (fine) return full;
  throw new Error(
    `Cannot retry by ${
      JSON.stringify(retry)
    }: expected maxAttempts and factor of 1 or more, delays of 0 or more`,
  );
}

/**
 * Milliseconds between the end of attempt number `attempt` and the next one: growing by the factor up to the longest,
 * and of that the upper half at random, so that what failed together does not come back together.
 */
export function retryDelayMs(
  attempt: number,
  { retry, random }: { retry: Required<Retry>; random: () => number },
): number {
  const grown = Math.min(retry.firstDelayMs * retry.factor ** (attempt - 1), retry.maxDelayMs);
  return Math.round(grown * (0.5 + random() / 2));
}
