import { expect } from "expect";
import { mkdtemp, rm } from "node:fs/promises";
import type { Kysely } from "kysely";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { MemoryBus } from "./bus/memory.ts";
import { systemClock } from "./clock.ts";
import { HealthChecks } from "./health.ts";
import { declareKernelMetrics, type KernelMetrics } from "./kernel_metrics.ts";
import { getLogger } from "./log.ts";
import { Metrics } from "./metrics.ts";
import { openSqlite } from "./storage/sqlite.ts";
import type { Storage } from "./storage/storage.ts";

const bytes = (text: string) => new TextEncoder().encode(text);

interface Setup {
  readonly kernel: KernelMetrics;
  readonly health: HealthChecks;
  readonly storage: Storage;
  /** Current numbers by name without `commandcenter_`, and label values. */
  readonly read: () => Promise<Record<string, number>>;
}

async function withKernelMetrics(test: (setup: Setup) => Promise<void>): Promise<void> {
  await using opened = new AsyncDisposableStack();
  const folder = await mkdtemp(join(tmpdir(), "kernel-metrics-"));
  opened.defer(() => rm(folder, { recursive: true }));
  const storage = openSqlite(join(folder, "test.db"));
  opened.defer(() => storage.close());
  const options = { log: getLogger("bus"), clock: systemClock, clientName: "test", onHandlerError: () => {} };
  const bus = new MemoryBus({ ...options, duplicateWindowMs: 1000, closeTimeoutMs: 1000 });
  opened.defer(() => bus.close());
  const metrics = new Metrics();
  opened.defer(() => metrics.close());
  const health = new HealthChecks();
  const read = async () => {
    const snapshot = await metrics.snapshot();
    return Object.fromEntries(snapshot.flatMap(({ name, samples }) =>
      samples.map(({ labels, value }) => [
        [name.replace("commandcenter_", ""), ...Object.values(labels)].join(" "),
        value,
      ])
    ));
  };
  await test({ kernel: declareKernelMetrics(metrics, { bus, storage, health }), health, storage, read });
}

Deno.test("storage: size, answer time and commits", async () => {
  await withKernelMetrics(async ({ storage, read }) => {
    const before = await read();
    expect(before.storage_commits_total).toBe(0);
    expect(before.storage_probe_seconds).toBeLessThan(1);
    const up = (db: Kysely<unknown>) => db.schema.createTable("notes").addColumn("text", "text").execute();
    await storage.migrate("notes", { "0001": { up } });
    const afterMigration = await read();
    await storage.tables<{ notes: { text: string } }>().insertInto("notes").values({ text: "a" }).execute();
    const after = await read();
    expect(after.storage_commits_total! - afterMigration.storage_commits_total!).toBe(1);
    expect(after.storage_size_bytes).toBeGreaterThan(0);
  });
});

Deno.test("bus: connection, and messages sent and received by operation", async () => {
  await withKernelMetrics(async ({ kernel: { bus }, read }) => {
    const handled = Promise.withResolvers<void>();
    bus.subscribe("hub.a.thing.>", () => handled.resolve());
    bus.respond("rpc.a.echo", (message) => Promise.resolve({ data: message.data }));
    await bus.append("hub.a.thing.done", bytes("1"), { id: "1" });
    await bus.request("rpc.a.echo", bytes("2"), { timeoutMs: 1000 });
    await expect(bus.request("rpc.a.nobody", bytes("3"), { timeoutMs: 1000 })).rejects.toThrow();
    bus.publish("hub.presence.a", bytes("4"));
    expect(() => bus.publish("not a subject", bytes("5"))).toThrow();
    await handled.promise;
    expect(await read()).toMatchObject({
      bus_connected: 1,
      bus_reconnects_total: 0,
      "bus_messages_sent_total append": 1,
      "bus_messages_sent_total request": 1,
      "bus_messages_sent_total publish": 1,
      "bus_messages_received_total subscribe": 1,
      "bus_messages_received_total respond": 1,
      "bus_failures_total request no_responders": 1,
      "bus_failures_total publish invalid_subject": 1,
    });
  });
});

Deno.test("bus: messages that a slow subscription dropped, and those given up", async () => {
  await withKernelMetrics(async ({ kernel: { bus }, read }) => {
    const release = Promise.withResolvers<void>();
    const dropped = Promise.withResolvers<void>();
    const slow = { maxPending: 1, onDropped: () => dropped.resolve() };
    bus.subscribe("hub.presence.*", () => release.promise, slow);
    for (let sent = 0; sent < 10; sent++) bus.publish("hub.presence.a", bytes("x"));
    await dropped.promise;
    const givenUp = Promise.withResolvers<void>();
    const durable = { durable: "d", pattern: "hub.a.thing.>", maxDeliveries: 2, backoffMs: [1] };
    bus.consume({ ...durable, onGivenUp: () => givenUp.resolve() }, () => {
      throw new Error("never works");
    });
    await bus.append("hub.a.thing.done", bytes("1"), { id: "1" });
    await givenUp.promise;
    const numbers = await read();
    expect(numbers["bus_messages_lost_total slow"]).toBeGreaterThan(0);
    expect(numbers["bus_messages_lost_total given_up"]).toBe(1);
    expect(numbers["bus_messages_received_total consume"]).toBe(2);
    release.resolve();
  });
});

Deno.test("failing handlers are counted by plugin", async () => {
  await withKernelMetrics(async ({ kernel, read }) => {
    kernel.handlerFailed("demo");
    expect((await read())["handler_failures_total demo"]).toBe(1);
  });
});

Deno.test("each check of /health is a number", () =>
  withKernelMetrics(async ({ health, read }) => {
    health.add("fine", () => ({ status: "up" }));
    health.add("worse", () => ({ status: "degraded" }));
    health.add("gone", () => Promise.reject(new Error("no answer")));
    expect(await read()).toMatchObject({
      "health_state fine": 0,
      "health_state worse": 1,
      "health_state gone": 2,
    });
  }));
