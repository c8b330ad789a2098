import { expect } from "expect";
import { join } from "node:path";
import { z } from "zod";
import { defineEvent } from "../../../core/events.ts";
import { definePlugin, type Host, type Plugin } from "../../../core/plugin.ts";
import { createDatabase } from "../../../tests/support/postgres.ts";
import { repository } from "../../../tests/support/run_cli.ts";
import { type Child, spawnChild } from "../../../tests/support/spawn_child.ts";
import {
  startTestKernel,
  type TestKernel,
  type TestKernelOptions,
} from "../../../tests/support/test_kernel.ts";
import { testWithPostgres } from "../../../tests/support/test_with.ts";
import { waitFor } from "../../../tests/support/wait_for.ts";
import eventStore from "../plugin.ts";

const asked = defineEvent("work.asked", z.strictObject({ n: z.int() }));

/** A plugin with one durable handler, and its host for the test. */
function worker(handle: (n: number) => unknown): { plugin: Plugin; host: () => Host } {
  let lent: Host | undefined;
  const plugin = definePlugin({
    name: "worker",
    summary: "Handles what it is asked",
    config: z.strictObject({}),
    prefixes: [],
    start: (host) => {
      lent = host as Host;
      host.subscribe(asked, ({ n }) => handle(n), { durable: "hands" });
    },
  });
  return { plugin, host: () => lent! };
}

/** Restarts keep what is in this folder or database. */
async function withKernels(
  storageUrl: string,
  run: (start: (handle: (n: number) => unknown) => Promise<TestKernel & { host: Host }>) => Promise<void>,
): Promise<void> {
  const dataDir = await Deno.makeTempDir();
  try {
    await run(async (handle) => {
      const { plugin, host } = worker(handle);
      const options: TestKernelOptions = {
        plugins: [eventStore, plugin],
        dataDir,
        storageUrl,
        nodeId: "here",
      };
      const kernel = await startTestKernel(options);
      return Object.assign(kernel, { host: host() });
    });
  } finally {
    await Deno.remove(dataDir, { recursive: true });
  }
}

async function consumer(kernel: TestKernel): Promise<Record<string, unknown>> {
  const response = await kernel.fetch("/api/events/consumers/plugin.here-worker-hands");
  return await response.json();
}

const numbers = (from: number, to: number) =>
  Array.from({ length: to - from + 1 }, (_, index) => from + index);

async function ask(host: Host, from: number, to: number): Promise<void> {
  await Promise.all(numbers(from, to).map((n) => host.publish(asked, { n })));
}

Deno.test("a durable handler gets each event once and in order over restarts, and what came while it was away", async () => {
  await withKernels("sqlite:", async (start) => {
    const seen: number[] = [];
    const handle = (n: number) => void seen.push(n);
    {
      await using kernel = await start(handle);
      await ask(kernel.host, 1, 700);
      await waitFor(() => seen.length === 700, { what: "the first events" });
      expect(await consumer(kernel)).toMatchObject({
        owner: "worker",
        subject: "hub.here.work.asked",
        start: "new",
      });
      await kernel.stopPlugin("worker");
      await publishOverHttp(kernel, 701);
      await kernel.startPlugin("worker");
      await waitFor(() => seen.length === 701, { what: "what came while the plugin was stopped" });
    }
    {
      await using kernel = await start(() =>
        new Promise((resolve) => setTimeout(resolve, 1)).then(() => handle(0))
      );
      await ask(kernel.host, 1, 30);
      await kernel.stop(); // in the middle of it
    }
    const before = seen.length;
    await using kernel = await start(handle);
    await waitFor(() => seen.length === 731, { what: "the rest" });
    expect(seen.slice(0, 701)).toEqual(numbers(1, 701));
    expect(seen.slice(before)).toEqual(numbers(before - 700, 30));
    expect(await consumer(kernel)).toMatchObject({ in_flight: 0, waiting: 0, dead_letters: 0 });
  });
});

async function publishOverHttp(kernel: TestKernel, n: number): Promise<void> {
  const response = await kernel.fetch("/api/events", {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ subject: "work.asked", payload: { n } }),
  });
  expect(response.status).toBe(201);
  await response.body?.cancel();
}

Deno.test("when the event-store alone is stopped and started, other plugins' handlers go on by themselves", async () => {
  await withKernels("sqlite:", async (start) => {
    const seen: number[] = [];
    await using kernel = await start((n) => void seen.push(n));
    for (let round = 1; round <= 3; round++) {
      await ask(kernel.host, round, round);
      await kernel.stopPlugin("event-store");
      await expect(kernel.host.publish(asked, { n: 0 })).rejects.toMatchObject({ code: "journal_stopped" });
      await kernel.startPlugin("event-store");
    }
    await ask(kernel.host, 4, 4);
    await waitFor(() => seen.length === 4, { what: "all of them" });
    expect(seen).toEqual([1, 2, 3, 4]);
  });
});

Deno.test("what a handler throws at comes again, others go on meanwhile, and a restart keeps the count", async () => {
  await withKernels("sqlite:", async (start) => {
    const seen: string[] = [];
    const failing = (n: number) => {
      seen.push(`${n}`);
      if (n === 2) throw new Error("not this one");
    };
    {
      await using kernel = await start(failing);
      await ask(kernel.host, 1, 3);
      await waitFor(() => seen.length === 3, { what: "the others" });
      await waitFor(async () => (await consumer(kernel)).waiting === 1, {
        what: "the failure to be written down",
      });
    }
    const attempts: number[] = [];
    await using kernel = await start((n) => void attempts.push(n));
    await waitFor(() => attempts.length === 1, { what: "the second delivery" });
    expect([seen, attempts]).toEqual([["1", "2", "3"], [2]]);
    await waitFor(async () => (await consumer(kernel)).waiting === 0, { what: "the event to be done with" });
  });
});

Deno.test("a plugin's consumer is shown, and nobody outside can touch it", async () => {
  await withKernels("sqlite:", async (start) => {
    await using kernel = await start(() => {});
    const path = "/api/events/consumers/plugin.here-worker-hands";
    const { items } = await (await kernel.fetch("/api/events/consumers")).json();
    expect(items).toMatchObject([{
      name: "plugin.here-worker-hands",
      owner: "worker",
      type: null,
      origin: "here",
    }]);
    const calls: [string, string, unknown][] = [
      ["POST", "/fetch", {}],
      ["POST", "/ack", { tokens: [`1.${crypto.randomUUID()}`] }],
      ["POST", "/nak", { tokens: [`1.${crypto.randomUUID()}`] }],
      ["POST", "/extend", { tokens: [`1.${crypto.randomUUID()}`] }],
      ["POST", "/pause", undefined],
      ["POST", "/resume", undefined],
      ["DELETE", "", undefined],
    ];
    for (const [method, more, body] of calls) {
      const response = await kernel.fetch(path + more, {
        method,
        headers: { "content-type": "application/json" },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      });
      const { code } = await response.json();
      expect([method, more, response.status, code]).toEqual([method, more, 409, "consumer_owned"]);
    }
    // One that nobody needs any more must not stay for ever, where retention waits for it.
    await kernel.stopPlugin("worker");
    const gone = await kernel.fetch(`${path}?abandoned=true`, { method: "DELETE" });
    expect(gone.status).toBe(204);
  });
});

/** Runs the program again and again until its consumer has nothing left, since one event kills it each time. */
async function killedByAnEvent(storageUrl: string): Promise<void> {
  const dataDir = await Deno.makeTempDir();
  let child: Child | undefined;
  const launch = async () => {
    await Deno.remove(join(dataDir, "url.txt")).catch(() => {});
    child = spawnChild(Deno.execPath(), {
      args: ["run", "-A", "tests/support/durable_program.ts", dataDir, storageUrl],
      cwd: repository,
    });
    await waitFor(async () => !child!.running || (await Deno.readTextFile(join(dataDir, "url.txt"))) !== "", {
      what: "the program",
      timeoutMs: 20_000,
    });
  };
  const call = async (path: string, body?: unknown) => {
    const key = (await Deno.readTextFile(join(dataDir, "admin.key"))).trim();
    const response = await fetch(`${await Deno.readTextFile(join(dataDir, "url.txt"))}${path}`, {
      headers: { authorization: `Bearer ${key}`, "content-type": "application/json" },
      ...(body === undefined ? {} : { method: "POST", body: JSON.stringify(body) }),
    });
    return await response.json();
  };
  const handled = async () =>
    (await Deno.readTextFile(join(dataDir, "handled.txt")).catch(() => "")).split("\n").slice(0, -1).map(
      Number,
    );
  try {
    await launch();
    for (const n of numbers(1, 4)) {
      await call("/api/events", { subject: "work.asked", payload: { n, deadly: false } });
    }
    await waitFor(async () => (await handled()).length >= 4, { what: "the first events" });
    await call("/api/events", { subject: "work.asked", payload: { n: 5, deadly: true } }).catch(() => {});
    let rounds = 0;
    for (; rounds < 20; rounds++) {
      if (child!.running) {
        const state = () => call("/api/events/consumers/plugin.durable-worker-writer").catch(() => undefined);
        await waitFor(async () => !child!.running || (await state())?.dead_letters === 1, {
          what: "an end",
          timeoutMs: 20_000,
        });
        if (child!.running) break;
      }
      await launch();
    }
    expect(rounds).toBeGreaterThanOrEqual(10);
    await call("/api/events", { subject: "work.asked", payload: { n: 6, deadly: false } });
    await waitFor(async () => (await handled()).includes(6), { what: "the event behind" });
    const { items } = await call("/api/events/consumers/plugin.durable-worker-writer/dead-letters");
    expect(items).toMatchObject([{ seq: 5, reason: "max_deliveries", event: { payload: { n: 5 } } }]);
    // At least once: what was handled in the last moments before the first kill may have come again.
    expect([...new Set(await handled())]).toEqual([1, 2, 3, 4, 6]);
    expect((await handled()).length).toBeLessThanOrEqual(9);
  } finally {
    await child?.stop({ signal: "SIGKILL", timeoutMs: 10_000 });
    await Deno.remove(dataDir, { recursive: true });
  }
}

Deno.test("an event that kills the agent each time becomes a dead letter, and the others go on (sqlite)", async () => {
  await killedByAnEvent("sqlite:");
});

testWithPostgres("an event that kills the agent each time becomes a dead letter (postgres)", async () => {
  await using database = await createDatabase();
  await killedByAnEvent(database.url);
});

testWithPostgres(
  "two agents on one PostgreSQL have handlers of their own, each for what it published",
  async () => {
    await using database = await createDatabase();
    const seen: Record<string, number[]> = { one: [], two: [] };
    const boot = async (nodeId: string) => {
      const { plugin, host } = worker((n) => void seen[nodeId]!.push(n));
      const kernel = await startTestKernel({
        plugins: [eventStore, plugin],
        storageUrl: database.url,
        nodeId,
      });
      return Object.assign(kernel, { host: host() });
    };
    await using one = await boot("one");
    await using two = await boot("two");
    await Promise.all([ask(one.host, 1, 50), ask(two.host, 51, 100)]);
    await waitFor(() => seen.one!.length + seen.two!.length >= 100, { what: "all events" });
    expect(seen).toEqual({ one: numbers(1, 50), two: numbers(51, 100) });
  },
);
