import type { Bus, BusOptions } from "./bus.ts";
import { MemoryBus } from "./memory.ts";
import { NatsBus } from "./nats.ts";
import type { BusSettings } from "./settings.ts";

/**
 * Opens the bus that `settings.url` names. A NATS server that is down is connected to later, by itself; one that is
 * too old, or a login that cannot be right, rejects with ConfigurationError.
 */
export function openBus(settings: BusSettings, options: BusOptions): Promise<Bus> {
  if (settings.url !== "memory:") return NatsBus.open(settings, options);
  const duplicateWindowMs = settings.stream.duplicate_window;
  return Promise.resolve(new MemoryBus({ ...options, duplicateWindowMs }));
}
