import { timestamp } from "../../../core/clock.ts";
import type { Delivery, Subscription } from "../../../core/bus/bus.ts";
import { deliver, type DeliveryPolicy } from "../../../core/bus/delivery.ts";
import type { Logger } from "../../../core/log.ts";
import { supervise } from "../../../core/supervise.ts";
import { eventHeaders } from "../relay/event_headers.ts";
import type { EventRow } from "../tables.ts";
import { type NextEvents, nextEvents } from "./next_events.ts";
import { PluginProgress } from "./plugin_progress.ts";
import type { TakeContext } from "./take_deliveries.ts";
import type { WaitingFetch } from "./waiting_fetches.ts";

const encoder = new TextEncoder();
/** On a quiet log the position is written down this often, in milliseconds. */
const idleMs = 5000;

export interface PluginConsumerOptions extends TakeContext {
  readonly name: string;
  /** Plugin whose handlers they are. */
  readonly owner: string;
  readonly nodeId: string;
  readonly policy: DeliveryPolicy;
  /** End of the log. */
  readonly head: () => number;
  readonly log: Logger;
  /** Joins those that wait for events of this consumer. */
  readonly watch: (progress: PluginProgress) => WaitingFetch;
}

/** One event, and how it came to be handled now. */
interface Item {
  readonly event: EventRow;
  /** Delivered before, and therefore pending. */
  readonly again: boolean;
}

/** One event at a time. */
interface Lane {
  readonly handle: (delivery: Delivery) => unknown;
  readonly policy: DeliveryPolicy;
  stopped: boolean;
}

/**
 * A consumer whose handlers live in this process, which is the only one that has them: it need not write down each
 * delivery, but how far it came, and what failed.
 */
export class PluginConsumer {
  readonly #options: PluginConsumerOptions;
  readonly #lanes = new Set<Lane>();
  /** Where it begins where it does not exist: what is published from now on is not to be missed. */
  #position: number;
  #ended: Promise<void> = Promise.resolve();
  #running: { readonly end: AbortController; readonly done: Promise<void> } | undefined;

  constructor(options: PluginConsumerOptions) {
    this.#options = options;
    this.#position = options.policy.start === "first" ? 0 : options.head();
  }

  get pattern(): string {
    return this.#options.policy.pattern;
  }

  /** Adds a handler; with others of this consumer it shares the events. Stopping it leaves the position where it is. */
  attach(handle: (delivery: Delivery) => unknown, policy: DeliveryPolicy): Subscription {
    const lanes = Array.from(
      { length: policy.concurrency },
      (): Lane => ({ handle, policy, stopped: false }),
    );
    for (const lane of lanes) this.#lanes.add(lane);
    this.#running ??= this.#start();
    return {
      stop: async () => {
        for (const lane of lanes) {
          lane.stopped = true;
          this.#lanes.delete(lane);
        }
        if (this.#lanes.size > 0 || !this.#running) return;
        const { end, done } = this.#running;
        this.#running = undefined;
        this.#ended = done;
        end.abort();
        await done;
      },
    };
  }

  #start(): { end: AbortController; done: Promise<void> } {
    const { name, log } = this.#options;
    const end = new AbortController();
    const loop = (signal: AbortSignal) => this.#work(signal);
    const options = { name: `consumer ${name}`, signal: end.signal, log, onError: () => {} };
    return { end, done: this.#ended.then(() => supervise(loop, options)) };
  }

  async #work(signal: AbortSignal): Promise<void> {
    const progress = await PluginProgress.begin(this.#options, this.#position);
    const watch = this.#options.watch(progress);
    try {
      while (!signal.aborted) {
        watch.look();
        const next = await nextEvents(this.#options, progress);
        await this.#handleAll(next, progress);
        if (next.more || next.again.length + next.fresh.length > 0) continue;
        await progress.save();
        const dueInMs = (next.nextDueMs ?? Infinity) - this.#options.clock.now();
        await watch.wait(Math.max(1, Math.min(idleMs, dueInMs)), signal);
      }
      await progress.end();
    } finally {
      this.#position = progress.position;
      watch.leave();
    }
  }

  /** Lets the lanes take event by event, so that what has begun is always the first part of the list. */
  async #handleAll(next: NextEvents, progress: PluginProgress): Promise<void> {
    const items: Item[] = [
      ...next.again.map((event) => ({ event, again: true })),
      ...next.fresh.map((event) => ({ event, again: false })),
    ];
    progress.expect(next.fresh.map(({ seq }) => seq));
    let taken = 0;
    await Promise.all([...this.#lanes].map(async (lane) => {
      while (!lane.stopped && taken < items.length) await this.#handle(items[taken++]!, { lane, progress });
    }));
    if (taken === items.length) await progress.reach(next);
  }

  async #handle(
    { event, again }: Item,
    { lane, progress }: { lane: Lane; progress: PluginProgress },
  ): Promise<void> {
    const { log, clock } = this.#options;
    const begun = await progress.start(event.seq, again);
    if (!begun) return;
    let failure: unknown;
    const handle = async (delivery: Delivery) => {
      try {
        await lane.handle(delivery);
      } catch (error) {
        failure = error;
        throw error;
      }
    };
    const delivery: Delivery = {
      subject: event.subject,
      data: encoder.encode(event.payload),
      headers: eventHeaders(event),
      attempt: begun.attempt,
    };
    // Who subscribed has logged and counted what its handler threw.
    const context = { policy: lane.policy, log, onHandlerError: () => {} };
    const outcome = await deliver(delivery, handle, context);
    const error = failure ?? new Error("no answer in time");
    await progress.settle(begun, { outcome, error, at: timestamp(clock) });
  }
}
