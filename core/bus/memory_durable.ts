import type { Clock } from "../clock.ts";
import type { Delivery, Subscription } from "./bus.ts";
import { deliver, type DeliveryContext, type DeliveryPolicy } from "./delivery.ts";
import type { MemoryStream } from "./memory_stream.ts";
import type { Outgoing } from "./outgoing.ts";

interface Pending {
  readonly event: Outgoing;
  readonly attempt: number;
  /** Monotonic milliseconds before which it is not delivered again. */
  readonly dueAt: number;
}

interface Worker {
  readonly handle: (delivery: Delivery) => unknown;
  readonly policy: DeliveryPolicy;
  stopped: boolean;
  /** Present while it works. */
  run?: Promise<void> | undefined;
}

export interface MemoryDurableOptions extends DeliveryContext {
  readonly stream: MemoryStream;
  readonly clock: Clock;
}

/** Events that wait for their redelivery at the most; then no further event is taken until one of them is done. */
const maxRetries = 1000;

/** A named position in the stream with its redeliveries; the consumers of that name share the work. */
export class MemoryDurable {
  readonly #options: MemoryDurableOptions;
  readonly #workers = new Set<Worker>();
  #position: number;
  #retries: Pending[] = [];
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(options: MemoryDurableOptions) {
    this.#options = options;
    const { stream, policy } = options;
    this.#position = policy.start === "first" ? stream.firstSeq : stream.nextSeq;
  }

  /** Pattern with which the position was begun. */
  get pattern(): string {
    return this.#options.policy.pattern;
  }

  /** Whether this consumer handles events with that subject. */
  wants(subject: string): boolean {
    return this.#options.policy.matches(subject);
  }

  /** Stops every timer. */
  close(): void {
    clearTimeout(this.#timer);
  }

  /** Adds a consumer; stopping it leaves the position where it is. */
  attach(handle: (delivery: Delivery) => unknown, policy: DeliveryPolicy): Subscription {
    const worker: Worker = { handle, policy, stopped: false };
    this.#workers.add(worker);
    this.wake();
    return {
      stop: async () => {
        worker.stopped = true;
        this.#workers.delete(worker);
        if (this.#workers.size === 0) clearTimeout(this.#timer);
        await worker.run;
      },
    };
  }

  /** Looks for work; called whenever the stream has grown or a redelivery is due. */
  wake(): void {
    for (const worker of this.#workers) worker.run ??= this.#serve(worker);
  }

  async #serve(worker: Worker): Promise<void> {
    // Never inside the call that appended: a publisher must not wait for a consumer.
    await Promise.resolve();
    for (let next = this.#take(worker); next !== undefined; next = this.#take(worker)) {
      const { event, attempt } = next;
      const { subject, data, headers } = event;
      const context = { ...this.#options, policy: worker.policy };
      const outcome = await deliver({ subject, data, headers, attempt }, worker.handle, context);
      if (outcome.kind !== "again") continue;
      const dueAt = this.#options.clock.monotonic() + outcome.delayMs;
      this.#retries.push({ event, attempt: attempt + 1, dueAt });
    }
    worker.run = undefined;
    this.#planRetry();
  }

  #take(worker: Worker): Pending | undefined {
    if (worker.stopped) return undefined;
    const now = this.#options.clock.monotonic();
    const due = this.#retries.findIndex((retry) => retry.dueAt <= now);
    if (due !== -1) return this.#retries.splice(due, 1)[0];
    return this.#retries.length < maxRetries ? this.#takeNew() : undefined;
  }

  #takeNew(): Pending | undefined {
    const { stream, policy, log } = this.#options;
    if (this.#position < stream.firstSeq) {
      const lost = stream.firstSeq - this.#position;
      log.warn(`Consumer "${policy.durable}" was too slow for the bus in memory: ${lost} events are gone`);
      this.#position = stream.firstSeq;
    }
    while (this.#position < stream.nextSeq) {
      const event = stream.at(this.#position++);
      if (event && policy.matches(event.subject)) return { event, attempt: 1, dueAt: 0 };
    }
    return undefined;
  }

  #planRetry(): void {
    clearTimeout(this.#timer);
    if (this.#retries.length === 0 || this.#workers.size === 0) return;
    const dueAt = Math.min(...this.#retries.map((retry) => retry.dueAt));
    const waitMs = Math.max(1, Math.ceil(dueAt - this.#options.clock.monotonic()));
    this.#timer = setTimeout(() => this.wake(), waitMs);
  }
}
