import { type Bus, BusError, type BusMessage } from "./bus/bus.ts";
import type { PluginMetrics } from "./metrics.ts";

/** The same bus; what is sent, received, failed, dropped and given up is counted. */
export function countedBus(bus: Bus, metrics: PluginMetrics): Bus {
  const { sent, received, failures, lost } = declareCounters(metrics);
  const sending = async <Result>(operation: "append" | "request", send: () => Promise<Result>) => {
    try {
      const result = await send();
      sent.labels({ operation }).inc();
      return result;
    } catch (error) {
      failures.labels({ operation, reason: reasonOf(error) }).inc();
      throw error;
    }
  };
  const receiving = <Message extends BusMessage, Result>(
    operation: "subscribe" | "consume" | "respond",
    handle: (message: Message) => Result,
  ) =>
  (message: Message): Result => {
    received.labels({ operation }).inc();
    return handle(message);
  };
  return {
    kind: bus.kind,
    publish(subject, data, options) {
      try {
        bus.publish(subject, data, options);
        sent.labels({ operation: "publish" }).inc();
      } catch (error) {
        failures.labels({ operation: "publish", reason: reasonOf(error) }).inc();
        throw error;
      }
    },
    append: (subject, data, options) => sending("append", () => bus.append(subject, data, options)),
    request: (subject, data, options) => sending("request", () => bus.request(subject, data, options)),
    subscribe: (pattern, handle, options = {}) => {
      let before = 0;
      const onDropped = (dropped: number) => {
        lost.labels({ reason: "slow" }).inc(Math.max(0, dropped - before));
        before = dropped;
        options.onDropped?.(dropped);
      };
      return bus.subscribe(pattern, receiving("subscribe", handle), { ...options, onDropped });
    },
    consume: (options, handle) => {
      const onGivenUp = (message: BusMessage, error: unknown) => {
        lost.labels({ reason: "given_up" }).inc();
        options.onGivenUp?.(message, error);
      };
      return bus.consume({ ...options, onGivenUp }, receiving("consume", handle));
    },
    respond: (pattern, answer, options) => bus.respond(pattern, receiving("respond", answer), options),
    wants: (subject) => bus.wants(subject),
    streamIdentity: () => bus.streamIdentity(),
    lastAppended: (pattern) => bus.lastAppended(pattern),
    status: () => bus.status(),
    onStatus: (listener) => bus.onStatus(listener),
    probe: (timeoutMs) => bus.probe(timeoutMs),
    close: () => bus.close(),
  };
}

function declareCounters(metrics: PluginMetrics) {
  return {
    sent: metrics.counter({
      name: "commandcenter_bus_messages_sent_total",
      help: "Messages given to the bus: operation append (stored), publish (live only) or request (answered)",
      labels: ["operation"],
    }),
    received: metrics.counter({
      name: "commandcenter_bus_messages_received_total",
      help: "Messages handed to a handler, redeliveries included: operation subscribe, consume or respond",
      labels: ["operation"],
    }),
    failures: metrics.counter({
      name: "commandcenter_bus_failures_total",
      help: "Messages that the bus did not take, and requests without an answer, by reason",
      labels: ["operation", "reason"],
    }),
    lost: metrics.counter({
      name: "commandcenter_bus_messages_lost_total",
      help:
        "Messages that no handler handled: reason slow (the queue of a subscription was full) or given_up " +
        "(all deliveries of a durable consumer failed)",
      labels: ["reason"],
    }),
  };
}

function reasonOf(error: unknown): string {
  return error instanceof BusError ? error.code : "other";
}
