import type { Bus, Subscription } from "./bus.ts";

/** The same bus, with every subscription handed to `track` so that its owner can end them all. `close` is not lent out. */
export function scopedBus(bus: Bus, track: (open: () => Subscription) => Subscription): Bus {
  return {
    kind: bus.kind,
    publish: (subject, data, options) => bus.publish(subject, data, options),
    append: (subject, data, options) => bus.append(subject, data, options),
    request: (subject, data, options) => bus.request(subject, data, options),
    subscribe: (pattern, handle, options) => track(() => bus.subscribe(pattern, handle, options)),
    consume: (options, handle) => track(() => bus.consume(options, handle)),
    respond: (pattern, answer, options) => track(() => bus.respond(pattern, answer, options)),
    wants: (subject) => bus.wants(subject),
    streamIdentity: () => bus.streamIdentity(),
    lastAppended: (pattern) => bus.lastAppended(pattern),
    status: () => bus.status(),
    onStatus: (listener) => bus.onStatus(listener),
    probe: (timeoutMs) => bus.probe(timeoutMs),
    close: () => Promise.reject(new Error("Cannot close the bus: it belongs to the kernel")),
  };
}
