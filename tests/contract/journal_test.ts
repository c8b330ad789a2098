import { systemClock } from "../../core/clock.ts";
import type { Bus } from "../../core/bus/bus.ts";
import { getLogger } from "../../core/log.ts";
import type { Storage } from "../../core/storage/storage.ts";
import { ConsumerDesk } from "../../plugins/event-store/consumers/consumer_desk.ts";
import { ConsumerStore } from "../../plugins/event-store/consumers/consumer_store.ts";
import { DeliveryStore } from "../../plugins/event-store/consumers/delivery_store.ts";
import { PluginConsumers } from "../../plugins/event-store/consumers/plugin_consumers.ts";
import { EventTail } from "../../plugins/event-store/log/event_tail.ts";
import { migrations } from "../../plugins/event-store/migrations.ts";
import { EventStore } from "../../plugins/event-store/store.ts";
import { eventDraft } from "../support/event_draft.ts";
import { testOnEveryStorage } from "../support/every_storage.ts";
import type { OpenedBus } from "./bus_case.ts";
import { durableCases } from "./bus_event_cases.ts";

/** The node in whose name the cases publish. */
const nodeId = "hub-1";

/** The journal of the event-store behind the part of a bus that the cases about durable consumers use. */
async function openJournal(storage: Storage): Promise<OpenedBus> {
  await storage.migrate("event-store", migrations);
  const log = getLogger("test");
  const events = new EventStore(storage);
  const tail = new EventTail({ store: events, log });
  await tail.start();
  const consumers = new ConsumerStore(storage);
  const deliveries = new DeliveryStore(storage);
  const context = { storage, events, consumers, deliveries, clock: systemClock, tail };
  const desk = new ConsumerDesk({ ...context, maxWaiting: 0 });
  const leave = desk.open();
  const journal = new PluginConsumers({ ...context, desk, nodeId, log });
  const handlerErrors: OpenedBus["handlerErrors"] = [];
  const running = new Set<{ stop(): Promise<void> }>();
  let appended = Promise.resolve({ duplicate: false });
  const bus: Pick<Bus, "append" | "consume" | "probe"> = {
    append: (subject, data, { id }) => {
      const origin = { nodeId, service: "test", user: null };
      const draft = { ...eventDraft(subject, { id, origin }), payload: new TextDecoder().decode(data) };
      return appended = appended.then(async () => {
        tail.committed((await events.append([draft], systemClock.now())).rows);
        return { duplicate: false };
      });
    },
    consume: (options, handle) => {
      const subscription = journal.consume({ ...options, owner: "test" }, async (delivery) => {
        try {
          await handle(delivery);
        } catch (error) {
          handlerErrors.push({ error, subject: delivery.subject });
          throw error;
        }
      });
      running.add(subscription);
      return subscription;
    },
    probe: () => Promise.resolve(0),
  };
  return {
    bus: bus as Bus,
    handlerErrors,
    [Symbol.asyncDispose]: async () => {
      await Promise.all([...running].map((subscription) => subscription.stop()));
      leave();
    },
  };
}

for (const [what, run] of Object.entries(durableCases)) {
  testOnEveryStorage(`journal: ${what}`, async (storage) => {
    await using opened = await openJournal(storage);
    await run(opened);
  });
}
