/** Lets one waiter be woken early, without the cost of an abort signal for each time. */
export class Wakeup {
  #resolve: (() => void) | undefined;

  /** Wakes who waits; without a waiter nothing happens. */
  wake(): void {
    this.#resolve?.();
  }

  /** Resolves when woken, after `timeoutMs`, or when the signal is aborted; one waiter at a time. */
  wait(timeoutMs: number, signal: AbortSignal): Promise<void> {
    if (signal.aborted) return Promise.resolve();
    const { promise, resolve } = Promise.withResolvers<void>();
    const timer = setTimeout(done, timeoutMs);
    signal.addEventListener("abort", done, { once: true });
    this.#resolve = done;
    function done(): void {
      clearTimeout(timer);
      signal.removeEventListener("abort", done);
      resolve();
    }
    return promise;
  }
}
