import { z } from "zod";
import { defineEvent } from "../../core/events.ts";
import { definePlugin, type Host } from "../../core/plugin.ts";
import eventStore from "../../plugins/event-store/plugin.ts";
import { waitFor } from "../../tests/support/wait_for.ts";
import { startTestKernel } from "../../tests/support/test_kernel.ts";
import { samplePayload } from "./event_table.ts";

const stored = defineEvent(
  "bench.stored",
  z.object({
    order: z.int(),
    customer: z.string(),
    items: z.array(z.object({ sku: z.string(), count: z.int() })),
    note: z.string(),
  }),
);

/** An agent inside this process, and the one thing that a plugin of it does here. */
export interface BenchKernel extends AsyncDisposable {
  /** `host.publish` of one sample event. */
  publish(): Promise<unknown>;
  /** Events that are stored but not yet on the bus. */
  relayLag(): Promise<number>;
  /** Resolves when everything stored has reached the bus, so that nothing runs beside what is measured next. */
  idle(): Promise<void>;
}

export interface BenchKernelOptions {
  readonly storageUrl: string;
  /** Whether somebody listens to the sample events. */
  readonly subscribed: boolean;
}

/** Boots a kernel with the event-store and a plugin that lends its host to the bench. */
export async function startBenchKernel(options: BenchKernelOptions): Promise<BenchKernel> {
  const { storageUrl, subscribed } = options;
  const lent = Promise.withResolvers<Host>();
  const bench = definePlugin({
    name: "bench",
    summary: "Publishes as any plugin does",
    config: z.strictObject({}),
    prefixes: [],
    start: (host) => {
      if (subscribed) host.subscribe(stored, () => {});
      lent.resolve(host as Host);
    },
  });
  const kernel = await startTestKernel({ plugins: [eventStore, bench], storageUrl });
  const host = await lent.promise;
  const relayLag = async () => {
    const metrics = await host.metrics.all.snapshot();
    return metrics.find(({ name }) => name === "commandcenter_events_relay_lag")?.samples[0]?.value ?? NaN;
  };
  return {
    publish: () => host.publish(stored, samplePayload),
    relayLag,
    idle: async () => {
      await waitFor(async () => await relayLag() === 0, { what: "the relay to catch up", timeoutMs: 60_000 });
    },
    [Symbol.asyncDispose]: () => kernel[Symbol.asyncDispose](),
  };
}
