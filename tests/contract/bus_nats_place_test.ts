import { expect } from "expect";
import type { Delivery, StreamPosition } from "../../core/bus/bus.ts";
import { startNatsServer } from "../support/nats_server.ts";
import { testWithNats } from "../support/test_with.ts";
import { waitFor } from "../support/wait_for.ts";
import { bytes, text } from "./bus_case.ts";
import { manage, openNats, streamName } from "./bus_nats_opener.ts";

const subject = "hub.hub-1.a.b";

/** A server with so many events, and what a consumer that keeps its own position does on it. */
async function startPlaced(events: number) {
  const server = await startNatsServer();
  const opened = await openNats({ url: server.url });
  const append = (id: string) => opened.bus.append(subject, bytes(id), { id });
  for (let n = 1; n <= events; n++) await append(String(n));
  /** Consumes from there until `count` came; returns them as `attempt text`, with where the last one lay. */
  const consume = async (resumeAt: StreamPosition | "first", count: number) => {
    const seen: Delivery[] = [];
    const consumer = opened.bus.consume(
      { durable: "reader", pattern: "hub.>", resumeAt: () => resumeAt, concurrency: 4 },
      (delivery) => void seen.push(delivery),
    );
    await waitFor(() => seen.length >= count, { what: `${count} events` });
    await consumer.stop();
    return { seen: seen.map((each) => `${each.attempt} ${text(each)}`), last: seen.at(-1)!.position! };
  };
  return {
    server,
    opened,
    append,
    consume,
    async [Symbol.asyncDispose]() {
      await opened.bus.close();
      await server[Symbol.asyncDispose]();
    },
  };
}

testWithNats(
  "NATS: a consumer with a position of its own goes on there, wherever the server was",
  async () => {
    await using placed = await startPlaced(5);
    const { seen, last } = await placed.consume("first", 5);
    expect(seen).toEqual(["1 1", "1 2", "1 3", "1 4", "1 5"]);
    expect(last).toMatchObject({ seq: 5, stream: await placed.opened.bus.streamIdentity() });
    // As with a database that was restored from a backup.
    await placed.append("6");
    const { timeMs } = await manage(placed.server.url, async (manager) => ({
      timeMs: (await manager.streams.getMessage(streamName, { seq: 3 }))!.time.getTime(),
    }));
    expect((await placed.consume({ ...last, seq: 3, timeMs }, 3)).seen).toEqual(["1 4", "1 5", "1 6"]);
    expect((await placed.consume("first", 6)).seen).toHaveLength(6);
  },
);

testWithNats("NATS: a position in a stream that was replaced, or lost its tail, begins anew", async () => {
  await using placed = await startPlaced(5);
  const { last } = await placed.consume("first", 5);
  for (const wrong of [{ ...last, stream: "another" }, { ...last, seq: 99 }, { ...last, timeMs: 1 }]) {
    expect((await placed.consume(wrong, 5)).seen).toHaveLength(5);
  }
  await placed.append("6");
  expect((await placed.consume(last, 1)).seen).toEqual(["1 6"]);
});

testWithNats("NATS: who comes back after the stream has dropped its place is warned", async () => {
  await using placed = await startPlaced(5);
  const { last } = await placed.consume("first", 2);
  await manage(placed.server.url, (manager) => manager.streams.purge(streamName, { seq: 5 }));
  const here = { ...last, seq: 2 };
  expect((await placed.consume(here, 1)).seen).toEqual(["1 5"]);
  expect(placed.opened.lines.filter((line) => line.startsWith("warn"))).toEqual([
    expect.stringContaining(`has dropped what "reader" was to go on with`),
  ]);
});

testWithNats(
  "NATS: a backlog of large events comes through without the server losing its patience",
  async () => {
    await using server = await startNatsServer();
    await using opened = await openNats({ url: server.url });
    const { bus } = opened;
    const large = new Uint8Array(900 * 1024);
    // Small ones first: the consumer fetches the more at once, the longer it goes well.
    const small = Array.from(
      { length: 1000 },
      (_, n) => bus.append(subject, bytes("1"), { id: `small-${n}` }),
    );
    await Promise.all(small);
    for (let n = 0; n < 200; n++) await bus.append(subject, large, { id: String(n) });
    const seen: number[] = [];
    bus.consume(
      { durable: "reader", pattern: "hub.>", start: "first", concurrency: 256 },
      ({ position }) => {
        seen.push(position!.seq);
        // While the host is busy, and takes nothing off its connection, the server goes on sending.
        if (seen.length === 1001) {
          for (
            const until = performance.now() + 1000;
            performance.now() < until;
          );
        }
      },
    );
    await waitFor(() => seen.length >= 1200, { what: "all of them", timeoutMs: 30_000 });
    expect(seen).toEqual(Array.from({ length: 1200 }, (_, index) => index + 1));
    expect(opened.lines.filter((line) => line.startsWith("warn"))).toEqual([]);
    expect(bus.status().reconnects).toBe(0);
  },
);

testWithNats(
  "NATS: with concurrency as many are in hand as asked for, over a connection that breaks",
  async () => {
    await using server = await startNatsServer();
    await using opened = await openNats({ url: server.url });
    const { bus } = opened;
    const begun: string[] = [];
    const released = Promise.withResolvers<void>();
    bus.consume(
      { durable: "reader", pattern: "hub.>", start: "first", concurrency: 16, ackWaitMs: Infinity },
      async (message) => {
        begun.push(text(message));
        await released.promise;
      },
    );
    const sent = Array.from({ length: 40 }, (_, index) => String(index));
    for (const id of sent) await bus.append(subject, bytes(id), { id });
    await waitFor(() => begun.length === 16, { what: "sixteen in hand" });
    await server.restart();
    await opened.status("connected again", ({ connected, reconnects }) => connected && reconnects === 1);
    expect(begun).toEqual(sent.slice(0, 16));
    released.resolve();
    await waitFor(() => new Set(begun).size === sent.length, { what: "all of them", timeoutMs: 30_000 });
    expect(opened.handlerErrors).toEqual([]);
  },
);
