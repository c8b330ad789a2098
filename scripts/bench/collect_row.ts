import { jetstream, jetstreamManager } from "@nats-io/jetstream";
import { connect } from "@nats-io/transport-node";
import { createParser } from "eventsource-parser";
import { z } from "zod";
import { defineEvent } from "../../core/events.ts";
import { definePlugin, type Host } from "../../core/plugin.ts";
import eventStore from "../../plugins/event-store/plugin.ts";
import { type NatsServer, startNatsServer } from "../../tests/support/nats_server.ts";
import { whyMissing } from "../../tests/support/requirement.ts";
import { type Agent, startAgent } from "../../tests/support/run_agent.ts";
import { startTestKernel } from "../../tests/support/test_kernel.ts";
import { within } from "../../tests/support/wait_for.ts";
import { samplePayload } from "./event_table.ts";
import type { Measurement, Row } from "./row.ts";
import { quantile } from "./summary.ts";

const eventsPerSecond = 1000;
const seconds = 5;
/** The first second of a run does not count: connections, compiled code and caches are new. */
const settling = eventsPerSecond;
const events = eventsPerSecond * seconds + settling;

const sent = defineEvent("bench.sent", z.object({ n: z.int(), sample: z.custom<typeof samplePayload>() }));

/** From `host.publish` on one host to the event in the log of another. */
export const collectRow: Row = {
  name: "collect",
  work: "host.publish at 1,000/s on one host until a hub has stored the event and streams it (SSE); p99",
  baseline:
    "the floor: js.publish at the same rate until a consumer of JetStream has it, nothing else stored; p99",
  unit: "ms",
  goal: { kind: "figure", below: 50 },
  missing: () => whyMissing("nats"),
  open: async () => {
    await using opened = new AsyncDisposableStack();
    const nats = opened.use(await startServer(opened));
    const host = Promise.withResolvers<Host>();
    const bench = definePlugin({
      name: "bench",
      summary: "Lends its host to the bench",
      config: z.strictObject({}),
      prefixes: [],
      start: (lent) => host.resolve(lent as Host),
    });
    opened.use(
      await startTestKernel({ plugins: [eventStore, bench], busUrl: nats.url, nodeId: "bench-author" }),
    );
    const { publish } = await host.promise;
    const hub = opened.use(
      await startAgent({
        config: {
          node: { id: "bench-hub" },
          bus: { url: nats.url },
          plugins: { "event-store": { collect: ["hub.*.bench.>"] } },
        },
      }),
    );
    const floor = opened.use(await openFloor(nats.url));
    const resources = opened.move();
    return {
      work: () => collect(hub, (n) => publish(sent, { n, sample: samplePayload })),
      baseline: floor.measure,
      [Symbol.asyncDispose]: () => resources.disposeAsync(),
    };
  },
};

/** As it is installed, on the disk of everybody else. */
async function startServer(opened: AsyncDisposableStack): Promise<NatsServer> {
  const folder = await Deno.makeTempDir({ prefix: "commandcenter-bench-" });
  opened.defer(() => Deno.remove(folder, { recursive: true }));
  return startNatsServer({ jetstream: false, config: `jetstream { store_dir: ${JSON.stringify(folder)} }` });
}

async function collect(hub: Agent, publish: (n: number) => Promise<unknown>): Promise<Measurement> {
  const cut = new AbortController();
  const answer = await hub.fetch("/api/events/sse?type=bench.sent", { signal: cut.signal });
  const arrivals = new Arrivals();
  const parser = createParser({ onEvent: ({ data }) => arrivals.add(JSON.parse(data).payload.n) });
  const reading = (async () => {
    for await (const text of answer.body!.pipeThrough(new TextDecoderStream())) parser.feed(text);
  })().catch((error) => {
    if (!cut.signal.aborted) throw error;
  });
  const measured = await arrivals.measure(publish);
  cut.abort();
  await reading;
  return measured;
}

/** When each event was to be published, and when it came. */
class Arrivals {
  readonly #latenciesMs = new Float64Array(events);
  readonly #seen = new Set<number>();
  readonly #all = Promise.withResolvers<void>();
  #startsAt = 0;

  add(n: number): void {
    if (this.#seen.has(n)) return;
    this.#seen.add(n);
    this.#latenciesMs[n] = performance.now() - this.#dueAt(n);
    if (this.#seen.size === events) this.#all.resolve();
  }

  /** Publishes at a steady rate; rejects when not every event arrives. Latency counts from when an event is due. */
  async measure(publish: (n: number) => Promise<unknown>): Promise<Measurement> {
    this.#startsAt = performance.now() + 100;
    const published: Promise<unknown>[] = [];
    while (published.length < events) {
      const earlyMs = this.#dueAt(published.length) - performance.now();
      if (earlyMs > 0) await new Promise((resolve) => setTimeout(resolve, earlyMs));
      else published.push(publish(published.length));
    }
    await Promise.all(published);
    await within(this.#all.promise, { what: "every event to arrive", timeoutMs: 60_000 });
    const counted = this.#latenciesMs.subarray(settling).toSorted();
    return {
      figure: quantile(counted, 0.99),
      also: { p50_ms: quantile(counted, 0.5), max_ms: quantile(counted, 1) },
    };
  }

  #dueAt(n: number): number {
    return this.#startsAt + n * 1000 / eventsPerSecond;
  }
}

async function openFloor(url: string): Promise<AsyncDisposable & { measure(): Promise<Measurement> }> {
  const connection = await connect({ servers: url });
  const manager = await jetstreamManager(connection);
  await manager.streams.add({ name: "FLOOR", subjects: ["floor.>"] });
  const client = jetstream(connection);
  const data = (n: number) => new TextEncoder().encode(JSON.stringify({ n, sample: samplePayload }));
  return {
    measure: async () => {
      await manager.streams.purge("FLOOR");
      const arrivals = new Arrivals();
      const consumer = await client.consumers.get("FLOOR");
      const messages = await consumer.consume({
        callback: (message) => arrivals.add(message.json<{ n: number }>().n),
      });
      const measured = await arrivals.measure((n) => client.publish("floor.sent", data(n)));
      await messages.close();
      return measured;
    },
    [Symbol.asyncDispose]: () => connection.close(),
  };
}
