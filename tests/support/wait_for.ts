/** Tells what `waitFor` waits for and for how long. */
export interface WaitOptions {
  /** Named in the error, as in "the relay to catch up". */
  readonly what: string;
  readonly timeoutMs?: number;
  readonly pollMs?: number;
}

type Falsy = false | 0 | "" | null | undefined;

/**
 * Polls a condition until it is truthy and returns its value; rejects after `timeoutMs` (10 s), naming `what`.
 * A condition that throws counts as not yet true; its last error becomes the cause.
 */
export async function waitFor<Value>(
  condition: () => Value | Promise<Value>,
  { what, timeoutMs = 10_000, pollMs = 10 }: WaitOptions,
): Promise<Exclude<Value, Falsy>> {
  const deadline = performance.now() + timeoutMs;
  let cause: unknown;
  for (;;) {
    try {
      const value = await within(condition, { what, timeoutMs: Math.max(1, deadline - performance.now()) });
      if (value) return value as Exclude<Value, Falsy>;
      cause = undefined;
    } catch (error) {
      cause = error;
    }
    if (performance.now() >= deadline) {
      const message = `Cannot wait for "${what}": not so after ${timeoutMs} ms`;
      throw new Error(message, cause === undefined ? undefined : { cause });
    }
    await new Promise((resolve) => setTimeout(resolve, pollMs));
  }
}

/** Awaits one piece of work, or rejects after `timeoutMs` naming `what`; the work itself goes on. */
export async function within<Value>(
  work: (() => Value | Promise<Value>) | Promise<Value>,
  { what, timeoutMs }: { readonly what: string; readonly timeoutMs: number },
): Promise<Value> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<never>((_, reject) => {
    const message = `Cannot wait for "${what}": nothing within ${Math.round(timeoutMs)} ms`;
    timer = setTimeout(() => reject(new Error(message)), timeoutMs);
  });
  try {
    return await Promise.race([typeof work === "function" ? work() : work, late]);
  } finally {
    clearTimeout(timer);
  }
}
