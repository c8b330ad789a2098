import { Cron as Croner } from "croner";

export interface CronOptions {
  /** IANA name such as `Europe/Berlin`; default UTC. */
  readonly timezone?: string | undefined;
  /** Refuses seconds and years: five fields, so that nothing comes more often than once a minute. */
  readonly isFiveFields?: boolean;
}

/**
 * The moments that a cron pattern names, by the clock on the wall of its zone. When clocks go forward, a fixed time that
 * they skip comes right behind the gap; when they go back, one that they show twice comes the first time only.
 */
export class Cron {
  readonly #croner: Croner;

  /** Throws on a bad pattern, and on a zone that is not known. */
  constructor(pattern: string, { timezone = "UTC", isFiveFields = false }: CronOptions = {}) {
    if (!isTimezone(timezone)) {
      throw new Error(
        `Cannot schedule "${pattern}": "${timezone}" is no IANA time zone such as Europe/Berlin`,
      );
    }
    try {
      this.#croner = new Croner(pattern, {
        timezone,
        paused: true,
        fixedTimeRule: "no-wildcard", // or else 02:30 of a list of hours would be skipped where 02:30 alone is not
        mode: isFiveFields ? "5-part" : "auto",
      });
    } catch (cause) {
      const reason = cause instanceof Error ? cause.message.replace(/^Cron\w*: /, "") : String(cause);
      throw new Error(`Cannot schedule "${pattern}": ${reason}`, { cause });
    }
    if (this.#croner.getOnce()) {
      throw new Error(`Cannot schedule "${pattern}": it is a time; give a cron pattern such as 0 8 * * 1-5`);
    }
  }

  /** The first moment after `afterMs`; undefined where none comes. Milliseconds since 1970. */
  next(afterMs: number): number | undefined {
    return this.#croner.nextRun(new Date(afterMs))?.getTime();
  }

  /** The last `count` moments up to and including `untilMs`, the oldest first. */
  last(count: number, untilMs: number): number[] {
    // The library leaves out the second of its reference.
    const reference = new Date((Math.floor(untilMs / 1000) + 1) * 1000);
    return this.#croner.previousRuns(count, reference).map((date) => date.getTime()).reverse();
  }
}

/** Whether the runtime knows a time zone of this name. */
export function isTimezone(name: string): boolean {
  try {
    new Intl.DateTimeFormat("en", { timeZone: name });
    return /^[A-Za-z]/.test(name); // no offsets such as +02:00: they know nothing of summer
  } catch {
    return false;
  }
}

/** Milliseconds since 1970 of a time on the wall (`2026-01-31T12:00:00`) of a zone; undefined where it is none. */
export function wallTimeMs(text: string, timezone: string): number | undefined {
  try {
    return new Croner(text, { timezone, paused: true }).getOnce()?.getTime();
  } catch {
    return undefined;
  }
}
