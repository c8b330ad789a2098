import { Buffer } from "node:buffer";
import process from "node:process";
import { within } from "../../tests/support/wait_for.ts";
import { cpuSecondsOf, cpuSecondsOfMachine } from "./cpu_time.ts";
import { HttpConnection, requestBytes } from "./http_connection.ts";
import { WebsocketReader } from "./websocket_reader.ts";

const publishers = 32;
/** Latencies are taken from one subscriber in so many; of the others the events are counted. */
const sampledOneIn = 10;
/** At the start of every run, whose latencies are left out: connections, compiled code and caches are new. */
const settlingMs = 1000;
const arrivalTimeoutMs = 60_000;
const stampWidth = 20;

export interface FanOutOptions {
  readonly streamUrl: string;
  readonly publishUrl: string;
  readonly key?: string | undefined;
  /** Process that answers, for its processor time. */
  readonly pid: number;
  readonly subscribers: number;
  readonly eventsPerSecond: number;
  readonly durationMs: number;
  /** The body of a POST whose message will hold `"stamp":"…"` with this stamp. */
  readonly body: (stamp: string) => string;
}

/** How long events took from when they were due to be published until a subscriber had them. */
export interface FanOut {
  /** Ascending, in milliseconds. */
  readonly latenciesMs: Float64Array;
  /** The same until the publisher had its answer, for every event. */
  readonly answersMs: Float64Array;
  /** Events that reached a subscriber, per second. */
  readonly deliveriesPerSecond: number;
  /** Processor time of the server per delivery, everything before it included; NaN where not known. */
  readonly serverMicrosecondsPerDelivery: number;
  readonly serverBusyPercent: number;
  readonly clientBusyPercent: number;
  /** What everything else on the machine used: with more than a little, latencies tell nothing about the server. */
  readonly othersBusyPercent: number;
}

/**
 * Publishes at a steady rate over HTTP and reads with all subscribers; publishers and subscribers share this process,
 * and so its clock. Rejects when not every event reaches every subscriber.
 */
export async function fanOut(options: FanOutOptions): Promise<FanOut> {
  const { streamUrl, key, pid, subscribers, eventsPerSecond, durationMs } = options;
  using opened = new DisposableStack();
  const readers: WebsocketReader[] = [];
  for (let index = 0; index < subscribers; index++) {
    readers.push(opened.use(await WebsocketReader.open(streamUrl, key === undefined ? {} : { key })));
  }
  const events = Math.round((durationMs + settlingMs) / 1000 * eventsPerSecond);
  const arrivals = new Arrivals(events * subscribers);
  const startsAt = performance.now() + 50;
  const reading = readers.map((reader, index) => {
    const sampled = index % sampledOneIn === 0;
    return reader.read((text) => arrivals.note(text, sampled ? startsAt + settlingMs : Infinity));
  });
  const cpuBefore = cpuSeconds(pid);
  const answersMs = new Float64Array(events);
  const publishing = publishSteadily(options, { events, startsAt, answersMs });
  const everything = Promise.all([publishing, arrivals.complete]);
  // A stream that ends early, or a publish that fails, ends the run at once.
  const broken = Promise.race(reading).then(() => Promise.reject(new Error("a stream ended early")));
  await within(Promise.race([everything, broken]), {
    what: "every event at every subscriber",
    timeoutMs: arrivalTimeoutMs,
  });
  const seconds = (performance.now() - startsAt) / 1000;
  const cpu = cpuSeconds(pid);
  const server = cpu.server - cpuBefore.server;
  const client = cpu.client - cpuBefore.client;
  return {
    latenciesMs: Float64Array.from(arrivals.latenciesMs).sort(),
    answersMs: answersMs.subarray(Math.round(settlingMs / 1000 * eventsPerSecond)).sort(),
    deliveriesPerSecond: events * subscribers / seconds,
    serverMicrosecondsPerDelivery: server * 1e6 / (events * subscribers),
    serverBusyPercent: server / seconds * 100,
    clientBusyPercent: client / seconds * 100,
    othersBusyPercent: (cpu.machine - cpuBefore.machine - server - client) / seconds * 100,
  };
}

function cpuSeconds(pid: number): { server: number; client: number; machine: number } {
  const { user, system } = process.cpuUsage();
  return {
    server: cpuSecondsOf(pid) ?? NaN,
    client: (user + system) / 1e6,
    machine: cpuSecondsOfMachine() ?? NaN,
  };
}

const marker = '"stamp":"';

class Arrivals {
  readonly latenciesMs: number[] = [];
  readonly complete: Promise<void>;
  #missing: number;
  readonly #resolve: () => void;

  constructor(expected: number) {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#missing = expected;
    this.complete = promise;
    this.#resolve = resolve;
  }

  /** Counts the events of a message, one or many; takes the latency of those that were due behind `sampledFrom`. */
  note(message: Uint8Array, sampledFrom: number): void {
    const text = Buffer.from(message.buffer, message.byteOffset, message.length);
    for (let at = text.indexOf(marker); at >= 0; at = text.indexOf(marker, at + marker.length + stampWidth)) {
      this.#missing--;
      if (sampledFrom === Infinity) continue;
      const dueAt = Number(text.toString("latin1", at + marker.length, at + marker.length + stampWidth));
      if (dueAt >= sampledFrom) this.latenciesMs.push(performance.now() - dueAt);
    }
    if (this.#missing === 0) this.#resolve();
  }
}

/** Each event at its time, whether or not the ones before have been answered: who is late shows as latency. */
async function publishSteadily(
  { publishUrl, key, body, eventsPerSecond }: FanOutOptions,
  { events, startsAt, answersMs }: { events: number; startsAt: number; answersMs: Float64Array },
): Promise<void> {
  let next = 0;
  await Promise.all(Array.from({ length: publishers }, async () => {
    using connection = await HttpConnection.open(publishUrl);
    for (let index = next++; index < events; index = next++) {
      const dueAt = startsAt + index * 1000 / eventsPerSecond;
      const waitMs = dueAt - performance.now();
      if (waitMs > 0) await new Promise((resolve) => setTimeout(resolve, waitMs));
      const text = body(dueAt.toFixed(3).padStart(stampWidth, "0"));
      const request = requestBytes(
        "POST",
        publishUrl,
        key === undefined ? { body: text } : { body: text, key },
      );
      await connection.exchange(request, 201);
      answersMs[index] = performance.now() - dueAt;
    }
  }));
}
