import type { ConsumeOptions, Delivery, Subscription } from "../../../core/bus/bus.ts";
import { deliveryPolicy } from "../../../core/bus/delivery.ts";
import type { Logger } from "../../../core/log.ts";
import { compileFilter } from "../stream/event_feed.ts";
import type { EventTail } from "../log/event_tail.ts";
import type { ConsumerDesk } from "./consumer_desk.ts";
import { filterOf } from "./consumer_view.ts";
import { PluginConsumer } from "./plugin_consumer.ts";
import type { TakeContext } from "./take_deliveries.ts";

interface PluginConsumersOptions extends TakeContext {
  readonly desk: ConsumerDesk;
  readonly tail: EventTail;
  readonly nodeId: string;
  readonly log: Logger;
}

/** The consumers of this agent's own plugins, by name. */
export class PluginConsumers {
  readonly #options: PluginConsumersOptions;
  readonly #consumers = new Map<string, PluginConsumer>();

  constructor(options: PluginConsumersOptions) {
    this.#options = options;
  }

  /** See Journal.consume. */
  consume(
    options: ConsumeOptions & { owner: string },
    handle: (delivery: Delivery) => unknown,
  ): Subscription {
    const { desk, tail, log } = this.#options;
    const policy = deliveryPolicy(options);
    // The dot keeps these names apart from those that workers outside may choose.
    const name = `plugin.${policy.durable}`;
    const consumer = this.#consumers.get(name) ?? new PluginConsumer({
      ...this.#options,
      name,
      owner: options.owner,
      policy,
      head: () => tail.position,
      watch: ({ row }) => desk.watch(name, compileFilter(filterOf(row))),
    });
    this.#consumers.set(name, consumer);
    if (consumer.pattern !== policy.pattern) {
      log.warn(
        "a durable handler of another name shares the events, and so the pattern, of one that is there",
        {
          consumer: name,
          pattern: consumer.pattern,
          asked_for: policy.pattern,
        },
      );
    }
    return consumer.attach(handle, policy);
  }
}
