import { expect } from "expect";
import { setTimeout as delay } from "node:timers/promises";
import { Metrics } from "./metrics.ts";

const help = "For a test";
const name = "commandcenter_level";

async function read(metrics: Metrics): Promise<[value: number | undefined, refused: number]> {
  const snapshot = await metrics.snapshot();
  const value = snapshot.find((metric) => metric.name === name)?.samples[0]?.value;
  const refused = snapshot.find((metric) => metric.name === "commandcenter_metrics_refused_total");
  return [value, refused?.samples.find(({ labels }) => labels.reason === "collect")?.value ?? 0];
}

Deno.test("what is collected is read at every scrape", async () => {
  const metrics = new Metrics();
  let level: number | undefined = 1;
  metrics.forPlugin("demo").gauge({ name, help, collect: () => level });
  expect(await read(metrics)).toEqual([1, 0]);
  level = 2;
  expect(await read(metrics)).toEqual([2, 0]);
  level = undefined;
  expect(await read(metrics)).toEqual([undefined, 0]);
});

Deno.test("a collected counter shows the running total of its source, by label", async () => {
  const metrics = new Metrics();
  let seconds = 10;
  metrics.forPlugin("demo").counter({
    name: "commandcenter_cpu_seconds_total",
    help,
    labels: ["mode"],
    maxSeries: 2,
    collect: () =>
      Promise.resolve(["idle", "user", "nice"].map((mode) => ({ labels: { mode }, value: seconds }))),
  });
  await metrics.snapshot();
  seconds = 11;
  const snapshot = await metrics.snapshot();
  expect(snapshot.find((metric) => metric.name === "commandcenter_cpu_seconds_total")?.samples).toEqual([
    { labels: { mode: "idle" }, value: 11 },
    { labels: { mode: "user" }, value: 11 },
  ]);
});

Deno.test("a reading that fails or is no number is left out and counted, and comes back", async () => {
  const metrics = new Metrics();
  let source = () => 1;
  metrics.forPlugin("demo").gauge({ name, help, collect: () => source() });
  expect(await read(metrics)).toEqual([1, 0]);
  source = () => {
    throw new Error("gone");
  };
  await read(metrics);
  expect(await read(metrics)).toEqual([undefined, 2]);
  source = () => NaN;
  expect(await read(metrics)).toEqual([undefined, 2]);
  source = () => 3;
  expect(await read(metrics)).toEqual([3, 2]);
});

Deno.test("a reading that hangs delays a scrape by a second at most, and is not started twice", async () => {
  const metrics = new Metrics();
  const source = Promise.withResolvers<number>();
  let asked = 0;
  metrics.forPlugin("demo").gauge({
    name,
    help,
    collect: () => {
      asked++;
      return source.promise;
    },
  });
  const started = performance.now();
  expect(await read(metrics)).toEqual([undefined, 1]);
  expect(performance.now() - started).toBeLessThan(1900);
  expect(await read(metrics)).toEqual([undefined, 2]);
  expect(asked).toBe(1);
  source.resolve(5);
  await delay(0); // the hanging reading ends a few microtasks later
  expect((await read(metrics))[0]).toBe(5);
});

Deno.test("scrapes at the same time share one round of readings", async () => {
  const metrics = new Metrics();
  let asked = 0;
  metrics.forPlugin("demo").gauge({ name, help, collect: () => ++asked });
  await Promise.all([metrics.render("prometheus"), metrics.render("openmetrics"), metrics.snapshot()]);
  expect(asked).toBe(1);
});

Deno.test("what is declared during a round of readings does not pass for 0", async () => {
  const metrics = new Metrics();
  const { gauge } = metrics.forPlugin("demo");
  const slow = Promise.withResolvers<number>();
  gauge({ name: "commandcenter_slow", help, collect: () => slow.promise });
  const reading = read(metrics);
  gauge({ name, help, collect: () => 4 });
  slow.resolve(1);
  expect((await reading)[0]).toBeUndefined();
  expect((await read(metrics))[0]).toBe(4);
});
