import { type Bus, BusError } from "../../../core/bus/bus.ts";
import { eventHeaders } from "../relay/event_headers.ts";
import type { EventRow } from "../tables.ts";

const encoder = new TextEncoder();
/** How long the bus may take to confirm a batch, in milliseconds. */
const confirmMs = 5000;
/** Faults of one event that no later attempt can mend. */
const hopeless: readonly string[] = ["too_large", "invalid_subject", "invalid_header"];

export interface RepublishOptions {
  readonly bus: Bus;
  readonly replayId: string;
  readonly signal: AbortSignal;
}

/** An event that the bus can never take, and why. */
export interface Skipped {
  readonly row: EventRow;
  readonly error: BusError;
}

/** Where a replay's events are published: the original subject behind the id of the replay. */
export function replaySubject(replayId: string, subject: string): string {
  return `replay.${replayId}.${subject}`;
}

/**
 * Publishes a batch and resolves when the bus has all of it, to what it can never take. Rejects with BusError when some
 * of it may be lost: the whole batch is then to be published again.
 */
export async function republish(rows: readonly EventRow[], options: RepublishOptions): Promise<Skipped[]> {
  const { bus, replayId } = options;
  const { connected, problem } = bus.status();
  if (!connected) throw new BusError("unavailable", problem ?? "Cannot replay: the bus is away");
  const skipped: Skipped[] = [];
  for (const row of rows) {
    try {
      bus.publish(replaySubject(replayId, row.subject), encoder.encode(row.payload), {
        headers: { ...eventHeaders(row), "ce-replayid": replayId },
      });
    } catch (error) {
      if (!(error instanceof BusError) || !hopeless.includes(error.code)) throw error;
      skipped.push({ row, error });
    }
  }
  // Asked in the same turn, so over the same connection: a later one knows nothing of what was lost with this one.
  await confirm(options);
  return skipped;
}

/** Resolves when the bus has taken everything published so far. Rejects with BusError, or when aborted. */
export async function confirm({ bus, signal }: Omit<RepublishOptions, "replayId">): Promise<void> {
  signal.throwIfAborted();
  const aborted = Promise.withResolvers<never>();
  const onAbort = () => aborted.reject(signal.reason);
  signal.addEventListener("abort", onAbort, { once: true });
  try {
    await Promise.race([bus.probe(confirmMs), aborted.promise]);
  } finally {
    signal.removeEventListener("abort", onAbort);
  }
}
