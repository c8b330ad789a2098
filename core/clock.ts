/** The one source of time, so that whole-system tests can run on a virtual clock. */
export interface Clock {
  /** Wall-clock milliseconds since 1970. */
  now(): number;
  /** Milliseconds that never jump; only differences mean something. */
  monotonic(): number;
}

/** The machine's own clock. */
export const systemClock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
};

/** RFC 3339 UTC text with milliseconds, the form in which all times are stored and sent. */
export function timestamp(clock: Clock): string {
  const now = clock.now();
  if (now !== last.ms) last = { ms: now, text: new Date(now).toISOString() };
  return last.text;
}

/** Many events share a millisecond. */
let last = { ms: NaN, text: "" };

/**
 * A new UUID of version 7, the one source of ids: 48 bits of time, then randomness from the platform. Ordered by time to
 * the millisecond, since ids in an index that come in no order cost a database half its speed.
 */
export function newId(): string {
  const now = Date.now();
  if (now !== prefix.ms) {
    const hex = now.toString(16).padStart(12, "0");
    prefix = { ms: now, text: `${hex.slice(0, 8)}-${hex.slice(8)}-7` };
  }
  return prefix.text + crypto.randomUUID().slice(15);
}

let prefix = { ms: NaN, text: "" };
