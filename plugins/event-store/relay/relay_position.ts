import type { Bus } from "../../../core/bus/bus.ts";
import type { Clock } from "../../../core/clock.ts";
import type { Logger } from "../../../core/log.ts";
import { DamagedEvent } from "../log/damage.ts";
import { eventHeaders } from "./event_headers.ts";
import type { EventStore, RelayPosition } from "../store.ts";
import type { EventRow } from "../tables.ts";

interface PositionOptions {
  readonly store: EventStore;
  readonly bus: Bus;
  readonly nodeId: string;
  readonly clock: Clock;
  readonly log: Logger;
  /** How far back to send again when the bus lost its store, in milliseconds. */
  readonly resendMs: number;
}

/**
 * Where the relay has to go on. What the bus really holds counts more than what was noted: it may hold more (answers
 * that were lost with the connection) or less (a server that lost power, or was restored from a backup).
 */
export async function findPosition(
  options: PositionOptions,
  known: RelayPosition | undefined,
): Promise<RelayPosition> {
  const { bus, store, nodeId, log } = options;
  const stream = await bus.streamIdentity();
  const arrived = await lastArrived(options);
  if (arrived !== undefined) {
    if (known === undefined) return { seq: arrived, stream };
    // Behind what is known, later events of a window may have arrived without earlier ones.
    if (arrived >= known.seq) return { seq: known.seq, stream };
    const filter = { subject: `hub.${nodeId}.>`, origin: nodeId };
    const missing = await readable(store.range({ from: arrived + 1, to: known.seq }, { filter, limit: 1 }));
    if (!missing && known.stream === stream) return known;
    const seq = missing && missing !== "damaged" ? missing.seq - 1 : arrived;
    log.warn("the bus holds less than it had acknowledged; events are sent again", { from_seq: seq + 1 });
    return { seq, stream };
  }
  if (known === undefined) return { seq: 0, stream };
  if (known.stream === stream) return known;
  const seq = await resendFrom(options, known.seq);
  log.warn("the bus has another store than before; events are sent again", { from_seq: seq + 1, stream });
  return { seq, stream };
}

/** The last event of this node that the bus holds, if it is one of this very log. */
async function lastArrived({ bus, store, nodeId }: PositionOptions): Promise<number | undefined> {
  const headers = await bus.lastAppended(`hub.${nodeId}.>`);
  const seq = Number(headers?.["ce-sequence"]);
  if (!headers || !Number.isSafeInteger(seq)) return undefined;
  const row = await readable(store.range({ from: seq, to: seq }, { limit: 1 }));
  // A log that was restored from an older backup has other events under the same sequences.
  return row !== "damaged" && row && eventHeaders(row)["ce-id"] === headers["ce-id"] ? seq : undefined;
}

/** The first of them; what cannot be read is there all the same. */
async function readable(rows: Promise<readonly EventRow[]>): Promise<EventRow | "damaged" | undefined> {
  try {
    return (await rows)[0];
  } catch (error) {
    if (error instanceof DamagedEvent) return "damaged";
    throw error;
  }
}

/** Behind which sequence to send again: what is older than the bus would keep stays behind. */
async function resendFrom({ store, clock, resendMs }: PositionOptions, position: number): Promise<number> {
  const oldest = clock.now() - resendMs;
  let low = 0;
  let high = position;
  while (low < high) {
    const middle = Math.floor((low + high) / 2);
    const found = await store.storedAt(middle + 1);
    // Retention may have removed what was there: the next one may lie behind the position.
    if (found === undefined || found.seq > position || found.stored_ms >= oldest) high = middle;
    else low = found.seq;
  }
  return low;
}
