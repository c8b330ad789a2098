import { Problem } from "../../../core/errors.ts";
import type { Health } from "../../../core/health.ts";
import type { Logger } from "../../../core/log.ts";

/** Sequences of damaged events that are remembered; beyond, only that there are more. */
const maxRemembered = 1000;

/** What this process knows to be wrong with the log. A damaged end takes no further events. */
export class LogCondition {
  readonly #log: Logger;
  #broken: string | undefined;
  #fault: string | undefined;
  readonly #damaged = new Set<number>();

  constructor(log: Logger) {
    this.#log = log;
  }

  /** The end of the log, or the file that holds it, is damaged: nothing may be built on it. */
  breakEnd(what: string): void {
    this.#log.error("the log is damaged and takes no further events", { damage: what });
    this.#broken ??= what;
  }

  /** Whether the end is damaged; nothing is removed then either. */
  get isBroken(): boolean {
    return this.#broken !== undefined;
  }

  /** Something before the end is wrong. */
  fault(what: string): void {
    this.#log.error("the log is damaged", { damage: what });
    this.#fault ??= what;
  }

  /** A read came upon a damaged event. */
  damagedEvent(seq: number): void {
    if (this.#damaged.has(seq) || this.#damaged.size >= maxRemembered) return;
    this.#damaged.add(seq);
    this.#log.error("an event is damaged on disk and is not shown", { seq });
  }

  /** Throws Problem 503 `log_damaged` where the log takes nothing. */
  refuseIfBroken(): void {
    if (this.#broken === undefined) return;
    throw new Problem(503, "log_damaged", {
      detail:
        `The log is damaged and takes no further events: ${this.#broken}. Nothing was stored; ${advice}`,
    });
  }

  /** Down where nothing can be appended, degraded where something else is damaged. */
  health(): Health {
    if (this.#broken !== undefined) {
      return { status: "down", message: `takes no further events: ${this.#broken}; ${advice}` };
    }
    const [seq] = this.#damaged;
    const message = this.#fault ??
      (seq === undefined ? undefined : `event ${seq} is damaged, ${this.#damaged.size} are in all`);
    if (message === undefined) return { status: "up" };
    return { status: "degraded", message: `${message}; ${advice}` };
  }
}

const advice = "`commandcenter events verify` tells what is wrong, a backup has it whole";
