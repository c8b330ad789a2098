import { FetchError } from "./fetch_error.ts";

/** What a TimeBudget ends with, and what else ends it. */
export interface TimeBudgetOptions {
  readonly totalMs: number;
  readonly origin: string;
  /** Ends it early, each with its own reason. */
  readonly signals: readonly (AbortSignal | null | undefined)[];
}

/** The time that a request may take, as a signal; it only runs while the request is being worked on. */
export class TimeBudget implements Disposable {
  readonly #abort = new AbortController();
  readonly #options: TimeBudgetOptions;
  readonly #linked: AbortSignal[] = [];
  #leftMs: number;
  #startedAt = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(options: TimeBudgetOptions) {
    this.#options = options;
    this.#leftMs = options.totalMs;
    for (const signal of options.signals) {
      if (!signal) continue;
      if (signal.aborted) this.#abort.abort(signal.reason);
      signal.addEventListener("abort", this.#passOn);
      this.#linked.push(signal);
    }
  }

  /** Aborted when the time is up (FetchError `timeout`) or one of the signals was. */
  get signal(): AbortSignal {
    return this.#abort.signal;
  }

  start(): void {
    if (this.#timer !== undefined || this.#abort.signal.aborted) return;
    this.#startedAt = performance.now();
    this.#timer = setTimeout(() => this.#expire(), this.#leftMs);
  }

  pause(): void {
    if (this.#timer === undefined) return;
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#leftMs = Math.max(0, this.#leftMs - (performance.now() - this.#startedAt));
  }

  /** Lets go of timer and signals; what it has aborted stays so. */
  [Symbol.dispose](): void {
    this.pause();
    for (const signal of this.#linked.splice(0)) signal.removeEventListener("abort", this.#passOn);
  }

  readonly #passOn = ({ target }: globalThis.Event) => this.#abort.abort((target as AbortSignal).reason);

  #expire(): void {
    const { origin, totalMs } = this.#options;
    const state = `it took longer than ${totalMs} ms; fetch.timeout and timeoutMs limit it`;
    this.#abort.abort(new FetchError("timeout", { origin, state, sent: true }));
  }
}
