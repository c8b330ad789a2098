import { expect } from "expect";
import { z } from "zod";
import { defineEvent } from "../../core/events.ts";
import { definePlugin, type Host, type Plugin } from "../../core/plugin.ts";
import eventStore from "../../plugins/event-store/plugin.ts";
import { startNatsServer } from "../support/nats_server.ts";
import { startReloadableKernel } from "../support/reloadable_kernel.ts";
import { testWithNats } from "../support/test_with.ts";
import { waitFor } from "../support/wait_for.ts";

const ticked = defineEvent("clock.ticked", z.strictObject({ n: z.int() }));

/** A plugin that lends its host to the test, and hears durably what is published on it. */
function ticker(lend: (host: Host) => void, heard: Set<number>): Plugin {
  return definePlugin({
    name: "ticker",
    summary: "Ticks",
    config: z.strictObject({}),
    prefixes: [],
    start: (host) => {
      lend(host as Host);
      host.subscribe(ticked, ({ n }) => heard.add(n), { durable: "ears" });
    },
  });
}

/** Publishes all the while the store of events is restarted, twice. */
async function restartStore(busUrl: string): Promise<void> {
  let host!: Host;
  const heard = new Set<number>();
  const plugins = [eventStore, ticker((lent) => host = lent, heard)];
  const sections = (keepalive: string) => ({
    bus: { url: busUrl },
    plugins: { "event-store": { stream: { keepalive } }, ticker: {} },
  });
  await using kernel = await startReloadableKernel({ plugins, sections: sections("15s") });
  const acknowledged: number[] = [];
  const refusals = new Set<string>();
  let n = 0;
  const done = new AbortController();
  const publishing = (async () => {
    while (!done.signal.aborted) {
      await host.publish(ticked, { n: ++n }).then(
        () => acknowledged.push(n),
        (error) => refusals.add(error.code),
      );
      await new Promise((resolve) => setTimeout(resolve));
    }
  })();
  await waitFor(() => acknowledged.length > 5, { what: "the first events" });
  for (const keepalive of ["14s", "13s"]) {
    await kernel.write(sections(keepalive));
    expect(await kernel.reload()).toMatchObject({ restarted: ["event-store"], kept: ["ticker"], failed: [] });
  }
  const atReload = acknowledged.length;
  await waitFor(() => acknowledged.length > atReload + 5, { what: "events after the reload" });
  done.abort();
  await publishing;
  expect([...refusals]).toEqual(refusals.size === 0 ? [] : ["journal_stopped"]);
  await waitFor(() => acknowledged.every((each) => heard.has(each)), { what: "every event to be handled" });
  const { items } = await (await kernel.fetch("/api/events?type=agent.reloaded&order=asc")).json();
  expect(items.map(({ payload }: { payload: unknown }) => payload)).toEqual(
    Array(2).fill({
      restarted: ["event-store"],
      started: [],
      stopped: [],
      failed: [],
      needs_restart: [],
    }),
  );
}

const keeps =
  "while the store of events restarts, events are refused or kept, and all that are kept are handled";

Deno.test(`${keeps} (memory)`, () => restartStore("memory:"));

testWithNats(`${keeps} (nats)`, async () => {
  await using server = await startNatsServer();
  await restartStore(server.url);
});

Deno.test("what a plugin does by itself is not the doing of who had it restarted", async () => {
  const ticking = definePlugin({
    name: "ticking",
    summary: "Ticks by itself",
    config: z.strictObject({ n: z.int() }),
    prefixes: [],
    start: (host) => {
      const { n } = host.config;
      host.run("once", async (signal) => {
        await host.publish(ticked, { n });
        await new Promise((resolve) => signal.addEventListener("abort", resolve));
      });
    },
  });
  const sections = (n: number) => ({ plugins: { "event-store": {}, ticking: { n } } });
  await using kernel = await startReloadableKernel({ plugins: [eventStore, ticking], sections: sections(1) });
  await kernel.write(sections(2));
  const answer = await kernel.fetch("/api/admin/reload", { method: "POST" });
  expect(await answer.json()).toMatchObject({ restarted: ["ticking"] });
  const correlationId = answer.headers.get("x-correlation-id")!;
  const events = async (type: string) =>
    (await (await kernel.fetch(`/api/events?type=${type}&order=asc`)).json()).items;
  const [reloaded] = await events("agent.reloaded");
  expect([reloaded.correlation_id, reloaded.origin.user]).toEqual([correlationId, `admin@${kernel.node.id}`]);
  const [, tick] = await waitFor(async () => {
    const ticks = await events("clock.ticked");
    return ticks.length === 2 && ticks;
  }, { what: "the tick of the restarted plugin" });
  expect(tick.correlation_id).not.toBe(correlationId);
  expect(tick.origin.user).toBeNull();
});

Deno.test("a store of events that comes with a reload keeps what is published from then on", async () => {
  let host!: Host;
  const heard = new Set<number>();
  const plugins = [eventStore, ticker((lent) => host = lent, heard)];
  await using kernel = await startReloadableKernel({ plugins, sections: { plugins: { ticker: {} } } });
  expect((await host.publish(ticked, { n: 1 })).seq).toBeUndefined();
  await kernel.write({ plugins: { ticker: {}, "event-store": {} } });
  expect(await kernel.reload()).toMatchObject({ kept: ["ticker"], started: ["event-store"], failed: [] });
  const { seq } = await host.publish(ticked, { n: 2 });
  expect(seq).toBeGreaterThan(0);
  await waitFor(() => heard.size === 2, { what: "both events to be handled" });
});

Deno.test("the store of events is not taken away from those that rely on it before the next start", async () => {
  let host!: Host;
  const plugins = [eventStore, ticker((lent) => host = lent, new Set())];
  await using kernel = await startReloadableKernel({
    plugins,
    sections: { plugins: { "event-store": {}, ticker: {} } },
  });
  await kernel.write({ plugins: { ticker: {} } });
  expect(await kernel.reload()).toEqual({
    kept: ["ticker", "event-store"],
    restarted: [],
    started: [],
    stopped: [],
    needsRestart: ["plugins.event-store"],
    failed: [],
  });
  expect((await host.publish(ticked, { n: 1 })).seq).toBeGreaterThan(0);
});
