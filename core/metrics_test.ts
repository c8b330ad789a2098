import { expect } from "expect";
import { type Exposition, Metrics, type SampleSnapshot } from "./metrics.ts";

const help = "For a test";

async function samplesOf(metrics: Exposition, name: string): Promise<readonly SampleSnapshot[]> {
  const found = (await metrics.snapshot()).find((metric) => metric.name === name);
  if (!found) throw new Error(`Cannot find "${name}": not declared`);
  return found.samples;
}

async function refusals(metrics: Exposition): Promise<Record<string, number>> {
  const samples = await samplesOf(metrics, "commandcenter_metrics_refused_total");
  return Object.fromEntries(samples.map(({ labels, value }) => [`${labels.metric} ${labels.reason}`, value]));
}

Deno.test("a counter starts at 0 and counts", async () => {
  const metrics = new Metrics();
  const counter = metrics.forPlugin("demo").counter({ name: "commandcenter_things_total", help });
  expect(await samplesOf(metrics, "commandcenter_things_total")).toEqual([{ labels: {}, value: 0 }]);
  counter.inc();
  counter.inc(2.5);
  expect(await samplesOf(metrics, "commandcenter_things_total")).toEqual([{ labels: {}, value: 3.5 }]);
});

Deno.test("a gauge goes up and down, by label", async () => {
  const metrics = new Metrics();
  const gauge = metrics.forPlugin("demo").gauge({ name: "commandcenter_things", help, labels: ["kind"] });
  gauge.labels({ kind: "a" }).set(5);
  gauge.labels({ kind: "a" }).inc(2);
  gauge.labels({ kind: "b" }).dec();
  expect(await samplesOf(metrics, "commandcenter_things")).toEqual([
    { labels: { kind: "a" }, value: 7 },
    { labels: { kind: "b" }, value: -1 },
  ]);
});

Deno.test("a histogram keeps cumulative buckets, sum and count", async () => {
  const metrics = new Metrics();
  const histogram = metrics.forPlugin("demo").histogram({
    name: "commandcenter_wait_seconds",
    help,
    labels: ["kind"],
    buckets: [1, 2],
  });
  for (const seconds of [0.5, 1, 1.5, 9]) histogram.labels({ kind: "a" }).observe(seconds);
  histogram.labels({ kind: "b" }).observe(2);
  const buckets = (...counts: number[]) => [1, 2, Infinity].map((bound, i) => ({ bound, count: counts[i] }));
  expect(await samplesOf(metrics, "commandcenter_wait_seconds")).toEqual([
    { labels: { kind: "a" }, value: 12, histogram: { count: 4, buckets: buckets(2, 3, 4) } },
    { labels: { kind: "b" }, value: 2, histogram: { count: 1, buckets: buckets(0, 1, 1) } },
  ]);
});

Deno.test("label combinations beyond the limit are counted as other", async () => {
  const metrics = new Metrics();
  const name = "commandcenter_things_total";
  const counter = metrics.forPlugin("demo").counter({ name, help, labels: ["kind"], maxSeries: 2 });
  for (const kind of ["a", "b", "c", "d", "a"]) counter.labels({ kind }).inc();
  expect(await samplesOf(metrics, name)).toEqual([
    { labels: { kind: "a" }, value: 2 },
    { labels: { kind: "b" }, value: 1 },
    { labels: { kind: "other" }, value: 2 },
  ]);
  expect(await refusals(metrics)).toEqual({ [`${name} series`]: 2 });
});

Deno.test("gauges beyond the limit are left out, since their sum would mean nothing", async () => {
  const metrics = new Metrics();
  const name = "commandcenter_things";
  const gauge = metrics.forPlugin("demo").gauge({ name, help, labels: ["kind"], maxSeries: 1 });
  for (const kind of ["a", "b"]) gauge.labels({ kind }).set(1);
  expect(await samplesOf(metrics, name)).toEqual([{ labels: { kind: "a" }, value: 1 }]);
  expect(await refusals(metrics)).toEqual({ [`${name} series`]: 1 });
});

Deno.test("writing never throws: what is no number is refused and counted", async () => {
  const metrics = new Metrics();
  const plugin = metrics.forPlugin("demo");
  const counter = plugin.counter({ name: "commandcenter_things_total", help });
  for (const by of [-1, NaN, Infinity]) counter.inc(by);
  const gauge = plugin.gauge({ name: "commandcenter_level", help });
  gauge.set(NaN);
  gauge.set(-4);
  plugin.histogram({ name: "commandcenter_wait_seconds", help }).observe(Infinity);
  expect(await samplesOf(metrics, "commandcenter_things_total")).toEqual([{ labels: {}, value: 0 }]);
  expect(await samplesOf(metrics, "commandcenter_level")).toEqual([{ labels: {}, value: -4 }]);
  expect(await refusals(metrics)).toEqual({
    "commandcenter_things_total value": 3,
    "commandcenter_level value": 1,
    "commandcenter_wait_seconds value": 1,
  });
});

Deno.test("label values are bounded and well-formed", async () => {
  const metrics = new Metrics();
  const name = "commandcenter_things_total";
  const counter = metrics.forPlugin("demo").counter({ name, help, labels: ["kind"] });
  counter.labels({ kind: "x".repeat(10_000) }).inc();
  counter.labels({ kind: "\ud800" }).inc();
  counter.labels({} as { kind: string }).inc();
  const kinds = (await samplesOf(metrics, name)).map((sample) => sample.labels.kind);
  expect(kinds).toEqual(["x".repeat(128), "\ufffd", ""]);
});

Deno.test("release takes back what one plugin declared, and only that", async () => {
  const metrics = new Metrics();
  const first = metrics.forPlugin("first");
  const counter = first.counter({ name: "commandcenter_first_total", help });
  metrics.forPlugin("second").gauge({ name: "commandcenter_second", help });
  counter.inc(7);
  first.release();
  const left = metrics.describe().filter((metric) => metric.owner !== "kernel");
  expect(left.map((metric) => metric.name)).toEqual(["commandcenter_second"]);
  first.counter({ name: "commandcenter_first_total", help });
  expect(await samplesOf(metrics, "commandcenter_first_total")).toEqual([{ labels: {}, value: 0 }]);
});

Deno.test("two metrics cannot share a name, nor the name of a family", () => {
  const metrics = new Metrics();
  metrics.forPlugin("first").counter({ name: "commandcenter_things_total", help });
  const second = metrics.forPlugin("second");
  expect(() => second.counter({ name: "commandcenter_things_total", help })).toThrow(
    'Cannot declare the metric "commandcenter_things_total": "first" already has commandcenter_things_total',
  );
  expect(() => second.gauge({ name: "commandcenter_things", help })).toThrow('"first" already has');
});
