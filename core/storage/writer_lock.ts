/** How long a writer may wait for the one before it, in milliseconds. */
const maxWaitMs = 10_000;

/** Lets one writer at a time through, first come first served; nobody waits forever. */
export class WriterLock {
  #tail: Promise<void> = Promise.resolve();
  #held = 0;

  /** Resolves with the release function. Rejects when the lock stays taken for 10 s. */
  async acquire(): Promise<() => void> {
    const before = this.#tail;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#tail = before.then(() => promise);
    if (this.#held++ > 0) {
      try {
        await within(before);
      } catch (error) {
        this.#held--;
        resolve();
        throw error;
      }
    }
    let released = false;
    return () => {
      if (released) return;
      released = true;
      this.#held--;
      resolve();
    };
  }
}

async function within(turn: Promise<void>): Promise<void> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const timeout = new Promise<never>((_, reject) => {
    const error = new Error(
      `Cannot write to "sqlite": another transaction has been open for ${maxWaitMs} ms (inside a transaction, use only its trx)`,
    );
    timer = setTimeout(() => reject(error), maxWaitMs);
  });
  try {
    await Promise.race([turn, timeout]);
  } finally {
    clearTimeout(timer);
  }
}
