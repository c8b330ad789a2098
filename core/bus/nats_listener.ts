import type { BusMessage } from "./bus.ts";
import type { Mailbox } from "./mailbox.ts";
import { toBusMessage } from "./nats_connection.ts";
import type { EncodedOutgoing } from "./outgoing.ts";
import type { NatsSession, Reception } from "./nats_session.ts";

/** A message with the way to answer it, where an answer is wanted. */
export interface Received extends BusMessage {
  readonly reply?: ((answer: EncodedOutgoing) => void) | undefined;
}

export interface NatsListenerOptions {
  readonly pattern: string;
  readonly queue: string | undefined;
  readonly mailbox: Mailbox<Received>;
}

/** A live subscription that goes on over any number of connections. */
export class NatsListener {
  readonly #options: NatsListenerOptions;
  #reception: Reception | undefined;

  constructor(options: NatsListenerOptions) {
    this.#options = options;
  }

  /** Receives on this connection from now on. */
  attach(session: NatsSession): void {
    const { pattern, queue, mailbox } = this.#options;
    this.#reception = session.receive(pattern, { queue }, (message) => {
      const { reply } = message;
      mailbox.push({
        ...toBusMessage(message),
        ...(reply ? { reply: (answer: EncodedOutgoing) => session.send(reply, answer.data, answer) } : {}),
      });
    });
  }

  /** Takes no further message, forgets what waits, resolves when what is in hand is done. */
  async stop(): Promise<void> {
    this.#reception?.stop();
    await this.#options.mailbox.stop();
  }

  /** Takes no further message; resolves when everything that was under way has been handled. */
  async drain(): Promise<void> {
    try {
      await this.#reception?.drain();
    } finally {
      await this.#options.mailbox.drain();
    }
  }
}
