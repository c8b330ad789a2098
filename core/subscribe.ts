import type { Bus, BusMessage, Subscription } from "./bus/bus.ts";
import { fromMessage } from "./cloudevents.ts";
import type { Envelope, Event } from "./events.ts";
import type { JournalSlot } from "./journal_slot.ts";
import type { SubscribeOptions } from "./plugin.ts";
import { inSpan } from "./trace.ts";

interface SubscribeContext extends SubscribeOptions {
  readonly plugin: string;
  readonly nodeId: string;
  readonly bus: Bus;
  readonly journal: JournalSlot;
  readonly onError: (error: unknown) => void;
}

/**
 * Hands events of one kind to a plugin's handler, one at a time, in the context of the event: what the handler
 * publishes carries the same correlation id and names this event as its cause.
 */
export function subscribe<Data>(
  event: Event<Data>,
  handle: (data: Data, envelope: Envelope<Data>) => unknown,
  options: SubscribeContext,
): Subscription {
  const node = options.from === "any-host" ? "*" : options.nodeId;
  const pattern = `hub.${node}.${event.type}`;
  const deliver = async (message: BusMessage) => {
    try {
      const envelope = fromMessage(message);
      const data = event.schema.parse(envelope.data);
      const { correlationId, traceparent } = envelope;
      const call = { correlationId, causationId: envelope.id, traceparent: traceparent ?? undefined };
      await inSpan(
        `handle ${event.type}`,
        { call, kind: "consumer" },
        () => handle(data, { ...envelope, data }),
      );
    } catch (error) {
      options.onError(error);
      if (options.durable) throw error; // tells the bus to deliver it again
    }
  };
  if (!options.durable) return options.bus.subscribe(pattern, deliver);
  // Every host handles its own: two hosts that share a stream must not share a position.
  const durable = `${options.nodeId}-${options.plugin}-${options.durable}`;
  // A bus in memory would forget the position with the process, and what came while nobody was there.
  if (options.bus.kind === "memory" && options.journal.isExpected) {
    return options.journal.consume({ durable, pattern, owner: options.plugin }, deliver);
  }
  return options.bus.consume({ durable, pattern }, deliver);
}
