import { createRoute } from "@hono/zod-openapi";
import { expect } from "expect";
import { z } from "zod";
import { defineEvent } from "../../core/events.ts";
import { definePlugin, type Host, type Plugin } from "../../core/plugin.ts";
import { defineQuery } from "../../core/queries.ts";
import { startTestKernel } from "../support/test_kernel.ts";
import { waitFor } from "../support/wait_for.ts";

type Start = (host: Host) => void | Promise<void>;

function plugin(name: string, start: Start): Plugin {
  return definePlugin({
    name,
    summary: `Test plugin ${name}`,
    config: z.strictObject({}),
    prefixes: [`/api/${name}`],
    start,
  });
}

/** A plugin that uses everything the host lends, so that a leak of any of it shows. */
function greedy(name: string, notes: string[] = []): Plugin {
  return plugin(name, (host) => {
    notes.push(`${name} starts`);
    const route = createRoute({
      method: "get",
      path: `/api/${name}`,
      responses: { 200: { description: "Hello" } },
    });
    host.http.openapi(route, (c) => c.text(`hello from ${name}`));
    host.subscribe(ticked, () => {});
    host.subscribe(ticked, () => {}, { durable: "greedy" });
    host.answer(
      defineQuery(`${name}.ask`, { ask: z.string(), answer: z.string() }),
      (text) => text.toUpperCase(),
    );
    host.schedule("* * * * *", () => {});
    host.run("loop", (signal) => new Promise((resolve) => signal.addEventListener("abort", () => resolve())));
    host.check(name, () => ({ status: "up" }));
    host.metrics.counter({ name: `commandcenter_${name}_total`, help: "Test" });
    host.onStop(() => notes.push(`${name} released`));
  });
}

const ticked = defineEvent("clock.ticked", z.strictObject({ n: z.int() }));

Deno.test("everything a plugin holds is taken back: two starts and stops in one process, no leaks", async () => {
  for (let round = 0; round < 2; round++) {
    const notes: string[] = [];
    await using kernel = await startTestKernel({ plugins: [greedy("one", notes), greedy("two", notes)] });
    expect(await (await kernel.fetch("/api/two")).text()).toBe("hello from two");
    await kernel.stop();
    expect(notes).toEqual(["one starts", "two starts", "two released", "one released"]);
  }
});

Deno.test("when the third of four fails to start, all is unwound in reverse and the error comes through", async () => {
  const notes: string[] = [];
  const failing = plugin("three", (host) => {
    host.onStop(() => notes.push("three released"));
    throw new Error("no luck today");
  });
  const dataDir = await Deno.makeTempDir();
  const plugins = [greedy("one", notes), greedy("two", notes), failing, greedy("four", notes)];
  await expect(startTestKernel({ plugins, dataDir })).rejects.toThrow("no luck today");
  expect(notes).toEqual(["one starts", "two starts", "three released", "two released", "one released"]);
  await using again = await startTestKernel({ plugins: plugins.slice(0, 2), dataDir }); // nothing is still locked
  expect(await (await again.fetch("/api/one")).text()).toBe("hello from one");
  await again.stop();
  await Deno.remove(dataDir, { recursive: true });
});

Deno.test("one plugin is stopped and started alone while the others keep serving", async () => {
  const notes: string[] = [];
  await using kernel = await startTestKernel({ plugins: [greedy("one", notes), greedy("two", notes)] });
  let failures = 0;
  const serving = new AbortController();
  const hammering = (async () => {
    while (!serving.signal.aborted) {
      const response = await kernel.fetch("/api/one");
      if (await response.text() !== "hello from one") failures++;
    }
  })();
  for (let round = 0; round < 5; round++) {
    await kernel.stopPlugin("two");
    const gone = await kernel.fetch("/api/two");
    expect([404, 503]).toContain(gone.status);
    await gone.body?.cancel();
    await expect(kernel.stopPlugin("two")).rejects.toThrow('Cannot stop "two": it does not run');
    await kernel.startPlugin("two");
    expect(await (await kernel.fetch("/api/two")).text()).toBe("hello from two");
  }
  serving.abort();
  await hammering;
  expect(failures).toBe(0);
  expect(notes.filter((note) => note === "two released")).toHaveLength(5);
});

Deno.test("events reach every plugin, whichever started first, with one correlation id and their cause", async () => {
  const seen: { n: number; correlationId: string; causationId: string | null }[] = [];
  const echoed = defineEvent("clock.echoed", z.strictObject({ n: z.int() }));
  const early = plugin("early", (host) => {
    host.subscribe(
      echoed,
      ({ n }, { correlationId, causationId }) => seen.push({ n, correlationId, causationId }),
    );
  });
  let published = { id: "", correlationId: "" };
  const late = plugin("late", (host) => {
    host.subscribe(ticked, async ({ n }) => void await host.publish(echoed, { n }));
    host.run("once", async (signal) => {
      if (published.id === "") published = await host.publish(ticked, { n: 1 });
      await new Promise((resolve) => signal.addEventListener("abort", resolve));
    });
  });
  await using _ = await startTestKernel({ plugins: [early, late] });
  await waitFor(() => seen.length === 1 && published.id !== "", { what: "the echo" });
  expect(seen).toEqual([{ n: 1, correlationId: published.correlationId, causationId: published.id }]);
});

Deno.test("a handler that throws is no reason to stop: the next event is handled", async () => {
  const handled: number[] = [];
  let host!: Host;
  const clumsy = plugin("clumsy", (lent) => {
    host = lent;
    lent.subscribe(ticked, ({ n }) => {
      if (n === 1) throw new Error("tripped");
      handled.push(n);
    });
  });
  await using kernel = await startTestKernel({ plugins: [clumsy] });
  await host.publish(ticked, { n: 1 });
  await host.publish(ticked, { n: 2 });
  await waitFor(() => handled.length === 1, { what: "the second event" });
  expect(handled).toEqual([2]);
  const health = await kernel.fetch("/health/live");
  expect(health.status).toBe(200);
  await health.body?.cancel();
});

Deno.test("queries are answered in-process, with deadlines and the errors of the answering side", async () => {
  const shout = defineQuery("loud.shout", { ask: z.string().min(1), answer: z.string() });
  const never = defineQuery("loud.never", { ask: z.null(), answer: z.null() });
  let host!: Host;
  const loud = plugin("loud", (lent) => {
    host = lent;
    lent.answer(shout, (text) => text.toUpperCase());
    lent.answer(never, () => new Promise(() => {}));
  });
  await using _ = await startTestKernel({ plugins: [loud] });
  expect(await host.ask(shout, "hello")).toBe("HELLO");
  await expect(host.ask(shout, "")).rejects.toMatchObject({ status: 422, code: "invalid_question" });
  await expect(host.ask(never, null, { timeoutMs: 20 })).rejects.toMatchObject({ code: "deadline_exceeded" });
  const nobody = defineQuery("nobody.home", { ask: z.null(), answer: z.null() });
  await expect(host.ask(nobody, null)).rejects.toMatchObject({ status: 404, code: "no_responder" });
  await expect(host.ask(shout, "x", { node: "hub-elsewhere" })).rejects.toMatchObject({
    code: "no_responder",
  });
});

Deno.test("a loop that throws is started again", async () => {
  let runs = 0;
  const shaky = plugin("shaky", (host) => {
    host.run("loop", (signal) => {
      if (++runs === 1) throw new Error("stumbled");
      return new Promise((resolve) => signal.addEventListener("abort", () => resolve()));
    });
  });
  await using _ = await startTestKernel({ plugins: [shaky] });
  await waitFor(() => runs === 2, { what: "the second run" });
});

Deno.test("two plugins with one prefix, and a second keeper of events, are refused", async () => {
  const thief = definePlugin({
    name: "thief",
    summary: "Takes what is taken",
    config: z.strictObject({}),
    prefixes: ["/api/one"],
    start: () => {},
  });
  await expect(startTestKernel({ plugins: [greedy("one"), thief] })).rejects.toThrow("/api/one");
  const never = () => {
    throw new Error("never called");
  };
  const journal = { append: never, consume: never };
  const keeper = (name: string) => plugin(name, (host) => host.keepEvents(journal));
  await expect(startTestKernel({ plugins: [keeper("one"), keeper("two")] })).rejects.toThrow(
    "Cannot keep events",
  );
});
