import { messageOf } from "../errors.ts";
import type { Delivery } from "./bus.ts";
import type { Outcome } from "./delivery.ts";
import { type Msg, toBusMessage } from "./nats_connection.ts";
import type { NatsSession, Reception } from "./nats_session.ts";

/** One delivery, which always has its place in the stream. */
export type Pulled = Delivery & Required<Pick<Delivery, "position" | "behind">>;

export interface NatsPullOptions {
  readonly session: NatsSession;
  readonly stream: { readonly name: string; readonly identity: string };
  readonly durable: string;
  /** How often the server hears that a message is still being worked on. */
  readonly signOfLifeMs: number;
  /** Messages fetched ahead at the most. */
  readonly maxBatch: number;
  /** Messages in hand at once at the most. */
  readonly concurrency: number;
  readonly onPulled: (pulled: Pulled) => void;
  readonly handle: (pulled: Pulled) => Promise<Outcome>;
}

const expiresMs = 20_000;
const graceMs = 5000;
/** What one fetch may bring: a server cuts the connection of whoever has more than 64 MiB on its way. */
const maxFetchBytes = 16 * 1024 * 1024;
const encoder = new TextEncoder();
const command = {
  done: encoder.encode("+ACK"),
  working: encoder.encode("+WPI"),
  again: encoder.encode("-NAK"),
  never: encoder.encode("+TERM given up"),
};

/**
 * Fetches the messages of one durable consumer over one connection and has them handled, begun in their order.
 * It fetches one message first and more only while they go well: a message that ends the process at each attempt
 * must not use up the attempts of those fetched together with it.
 */
export class NatsPull {
  readonly #options: NatsPullOptions;
  readonly #inbox: string;
  readonly #reception: Reception;
  readonly #ended = Promise.withResolvers<string>();
  readonly #working: ReturnType<typeof setInterval>;
  #waiting: Msg[] = [];
  readonly #inHand = new Set<Msg>();
  #batch = 1;
  #outstanding = 0;
  /** Whether something came in this fetch, and nothing went wrong with it. */
  #went: "nothing" | "well" | "badly" = "nothing";
  #deadline: ReturnType<typeof setTimeout> | undefined;
  #over = false;
  #idle: PromiseWithResolvers<void> | undefined;

  constructor(options: NatsPullOptions) {
    this.#options = options;
    const { session, signOfLifeMs } = options;
    this.#inbox = session.newInbox();
    this.#reception = session.receive(this.#inbox, {}, (message) => this.#received(message));
    this.#working = setInterval(() => this.#stillWorking(), signOfLifeMs);
    session.ended.addEventListener("abort", this.#onSessionEnded, { once: true });
    this.#fetch();
  }

  /** Resolves with the reason when no further message will come. */
  get ended(): Promise<string> {
    return this.#ended.promise;
  }

  /** Gives back what waits and resolves when what is in hand is done. */
  async stop(): Promise<void> {
    this.#end("stopped");
    if (this.#inHand.size > 0) await (this.#idle ??= Promise.withResolvers<void>()).promise;
  }

  readonly #onSessionEnded = () => this.#end("the connection ended");

  /** Fetches again where the last fetch is over and there are hands free for more. */
  #refill(): void {
    if (this.#over || this.#outstanding > 0) return;
    if (this.#inHand.size + this.#waiting.length < this.#options.concurrency) this.#fetch();
  }

  #fetch(): void {
    if (this.#went === "well") this.#batch = Math.min(this.#batch * 2, this.#options.maxBatch);
    if (this.#went === "badly") this.#batch = 1;
    this.#went = "nothing";
    this.#outstanding = this.#batch;
    const { session, stream, durable } = this.#options;
    const request = JSON.stringify({
      batch: this.#batch,
      expires: expiresMs * 1_000_000,
      max_bytes: Math.max(maxFetchBytes, session.maxBytes * 2),
    });
    this.#deadline = setTimeout(() => this.#end("the server does not answer"), expiresMs + graceMs);
    try {
      session.send(`$JS.API.CONSUMER.MSG.NEXT.${stream.name}.${durable}`, encoder.encode(request), {
        reply: this.#inbox,
      });
    } catch (error) {
      this.#end(messageOf(error));
    }
  }

  #received(message: Msg): void {
    if (!message.reply?.startsWith("$JS.ACK.")) return this.#fetchEnded(message);
    if (this.#over) return this.#answer(message, command.again);
    if (--this.#outstanding === 0) clearTimeout(this.#deadline);
    this.#waiting.push(message);
    this.#takeUp();
  }

  /** The server tells that a fetch is over: because its time is up, or because something happened to the consumer. */
  #fetchEnded(status: Msg): void {
    if (this.#over) return;
    const { code = 0, description = "" } = status.headers ?? {};
    // That a fetch brought all of it, we have counted ourselves, and the next one may be under way.
    if (code === 100 || (code === 409 && /batch completed/i.test(description))) return;
    const isOver = code === 404 || code === 408 || (code === 409 && /exceeds maxbytes/i.test(description));
    if (!isOver) return this.#end(description || `status ${code}`);
    clearTimeout(this.#deadline);
    this.#outstanding = 0;
    this.#refill();
  }

  #takeUp(): void {
    while (this.#inHand.size < this.#options.concurrency) {
      const message = this.#waiting.shift();
      if (!message) break;
      this.#inHand.add(message);
      void this.#work(message);
    }
    this.#refill();
  }

  async #work(message: Msg): Promise<void> {
    const pulled = read(message, this.#options.stream.identity);
    this.#options.onPulled(pulled);
    const outcome = await this.#options.handle(pulled);
    this.#inHand.delete(message);
    this.#settle(message, outcome);
    const fine = outcome.kind === "handled" && pulled.attempt === 1;
    if (this.#went !== "badly") this.#went = fine ? "well" : "badly";
    this.#takeUp();
    if (this.#inHand.size === 0) this.#idle?.resolve();
  }

  #settle(message: Msg, outcome: Outcome): void {
    if (outcome.kind === "handled") return this.#answer(message, command.done);
    if (outcome.kind === "given_up") return this.#answer(message, command.never);
    const delay = Math.round(outcome.delayMs * 1_000_000);
    this.#answer(message, delay === 0 ? command.again : encoder.encode(`-NAK ${JSON.stringify({ delay })}`));
  }

  #stillWorking(): void {
    for (const message of this.#inHand) this.#answer(message, command.working);
    for (const message of this.#waiting) this.#answer(message, command.working);
  }

  #answer(message: Msg, answer: Uint8Array): void {
    try {
      this.#options.session.send(message.reply ?? "", answer);
    } catch {
      // The connection is gone and with it the answer: the server delivers the message again.
    }
  }

  #end(reason: string): void {
    if (this.#over) return;
    this.#over = true;
    clearTimeout(this.#deadline);
    clearInterval(this.#working);
    const { session } = this.#options;
    session.ended.removeEventListener("abort", this.#onSessionEnded);
    if (!session.ended.aborted) this.#reception.stop();
    for (const message of this.#waiting.splice(0)) this.#answer(message, command.again);
    this.#ended.resolve(reason);
  }
}

/** How often it was delivered, and where it lies, stand in the subject for its acknowledgement. */
function read(message: Msg, stream: string): Pulled {
  const tokens = message.reply?.split(".") ?? [];
  // $JS.ACK[.domain.account].stream.consumer.deliveries.stream_seq.consumer_seq.time_ns.behind
  const first = tokens.length > 9 ? 6 : 4;
  const number = (index: number) => Number(tokens[first + index]);
  return {
    ...toBusMessage(message),
    attempt: number(0),
    // Nanoseconds are more than a number holds exactly.
    position: { stream, seq: number(1), timeMs: Number(tokens[first + 3]?.slice(0, -6)) },
    behind: number(4),
  };
}
