import type { Host } from "../../../core/plugin.ts";
import type { EventStoreConfig } from "../config.ts";
import type { EventTail } from "../log/event_tail.ts";
import type { SubjectCatalog } from "../search/subject_catalog.ts";
import type { EventStore } from "../store.ts";
import { ConsumerBook } from "./consumer_book.ts";
import { ConsumerDesk } from "./consumer_desk.ts";
import { addConsumerRoutes } from "./consumer_routes.ts";
import { ConsumerStore } from "./consumer_store.ts";
import { addDeadLetterRoutes } from "./dead_letter_routes.ts";
import { DeadLetters } from "./dead_letters.ts";
import { addDeliveryRoutes } from "./delivery_routes.ts";
import { DeliveryStore } from "./delivery_store.ts";
import { PluginConsumers } from "./plugin_consumers.ts";
import type { TakeContext } from "./take_deliveries.ts";

interface ConsumerParts {
  readonly events: EventStore;
  readonly tail: EventTail;
  readonly subjects: SubjectCatalog;
}

/** Consumers with their routes; those of the agent's own plugins are returned. */
export function addConsumers(host: Host<EventStoreConfig>, parts: ConsumerParts): PluginConsumers {
  const { http, config, storage, clock, log, node } = host;
  const { max: maxConsumers, max_waiting: maxWaiting } = config.consumers;
  const context: TakeContext = {
    storage,
    events: parts.events,
    subjects: parts.subjects,
    consumers: new ConsumerStore(storage),
    deliveries: new DeliveryStore(storage),
    clock,
  };
  host.metrics.gauge({
    name: "commandcenter_events_dead_letters",
    help: "Events that consumers have given up, and that nobody has replayed or removed",
    collect: () => context.deliveries.deadCount(context.consumers.db),
  });
  const desk = new ConsumerDesk({ ...context, tail: parts.tail, maxWaiting });
  host.onStop(desk.open());
  const book = new ConsumerBook({ ...context, desk, maxConsumers });
  addConsumerRoutes(http, book);
  addDeliveryRoutes(http, { book, desk });
  addDeadLetterRoutes(http, { book, letters: new DeadLetters({ ...context, desk }) });
  return new PluginConsumers({ ...context, desk, tail: parts.tail, nodeId: node.id, log });
}
