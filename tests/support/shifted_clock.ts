import type { Clock } from "../../core/clock.ts";

/** The real clock, as if it were another time; `set` sets it like an operator would. */
export interface ShiftedClock extends Clock {
  set(time: string): void;
}

/** A clock that shows `time` now (RFC 3339), and goes on from there. */
export function shiftedClock(time: string): ShiftedClock {
  let offsetMs = Date.parse(time) - Date.now();
  return {
    now: () => Date.now() + offsetMs,
    monotonic: () => performance.now(),
    set: (to) => void (offsetMs = Date.parse(to) - Date.now()),
  };
}
