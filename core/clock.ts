import { v7 } from "uuid";

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
  return new Date(clock.now()).toISOString();
}

/** A new time-ordered id (UUID version 7), the one source of ids. */
export function newId(): string {
  return v7();
}
