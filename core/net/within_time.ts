/** What ends a wait. */
export interface WaitLimits {
  readonly signal: AbortSignal;
  readonly timeoutMs: number;
  /** What to throw when the time is up. */
  readonly late: () => Error;
}

/** Awaits work that cannot be cancelled; rejects when the time is up or, with its reason, when the signal is aborted. */
export async function withinTime<Value>(
  work: Promise<Value>,
  { signal, timeoutMs, late }: WaitLimits,
): Promise<Value> {
  signal.throwIfAborted();
  const { promise: ended, reject } = Promise.withResolvers<never>();
  const onAbort = () => reject(signal.reason);
  const timer = setTimeout(() => reject(late()), timeoutMs);
  signal.addEventListener("abort", onAbort);
  try {
    return await Promise.race([work, ended]);
  } finally {
    clearTimeout(timer);
    signal.removeEventListener("abort", onAbort);
  }
}
