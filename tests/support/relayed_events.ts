import { jetstream, jetstreamManager } from "@nats-io/jetstream";
import { connect } from "@nats-io/transport-node";

/** An event as it lies in the stream. */
export interface RelayedEvent {
  /** `ce-id`. */
  readonly id: string;
  /** `ce-sequence`: the event's place in the log of the agent that published it. */
  readonly seq: number;
  readonly subject: string;
}

/** Everything that JetStream holds of the agents' events, in its order. */
export async function relayedEvents(url: string, stream = "COMMANDCENTER_EVENTS"): Promise<RelayedEvent[]> {
  const connection = await connect({ servers: url });
  try {
    const { state } = await (await jetstreamManager(connection)).streams.info(stream);
    const events: RelayedEvent[] = [];
    if (state.messages === 0) return events;
    const consumer = await jetstream(connection).consumers.get(stream);
    while (events.length < state.messages) {
      // A server cuts the connection of whoever has more than 64 MB on its way.
      const max_messages = Math.min(50, state.messages - events.length);
      for await (const message of await consumer.fetch({ max_messages, expires: 5000 })) {
        events.push({
          id: message.headers?.get("ce-id") ?? "",
          seq: Number(message.headers?.get("ce-sequence")),
          subject: message.subject,
        });
      }
    }
    return events;
  } finally {
    await connection.close();
  }
}
