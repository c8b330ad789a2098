import { expect } from "expect";
import fc from "fast-check";
import { Metrics } from "../../core/metrics.ts";
import { parseExposition } from "../../tests/support/parse_exposition.ts";

const formats = ["prometheus", "openmetrics"] as const;

/** A registry with one metric of every kind, with and without labels, some of them without any sample. */
function sampleMetrics(): Metrics {
  const metrics = new Metrics();
  const { counter, gauge, histogram } = metrics.forPlugin("demo");
  counter({ name: "commandcenter_plain_total", help: "Backticks `and` commas, too" }).inc(3);
  counter({ name: "commandcenter_labelled_total", help: "A", labels: ["one", "two"] })
    .labels({ one: "1", two: "2" }).inc(0.25);
  counter({ name: "commandcenter_unused_total", help: "A", labels: ["one"] });
  gauge({ name: "commandcenter_small", help: "A" }).set(-1.5e-9);
  gauge({ name: "commandcenter_large", help: "A" }).set(2 ** 80);
  gauge({ name: "commandcenter_read", help: "A", collect: () => 7 });
  gauge({ name: "commandcenter_absent", help: "A", collect: () => undefined });
  histogram({ name: "commandcenter_plain_seconds", help: "A" }).observe(1);
  const buckets = [0.5, 1, 10, 2.5e6];
  const sizes = histogram({ name: "commandcenter_labelled_bytes", help: "A", labels: ["one"], buckets });
  for (const value of [0.1, 1, 5, 1e9]) sizes.labels({ one: "x" }).observe(value);
  return metrics;
}

for (const format of formats) {
  Deno.test(`the ${format} exposition keeps to its format`, async () => {
    const families = parseExposition((await sampleMetrics().render(format)).body, format);
    const plain = format === "openmetrics" ? "commandcenter_plain" : "commandcenter_plain_total";
    expect(families.get(plain)?.samples).toEqual([{
      name: "commandcenter_plain_total",
      labels: {},
      value: 3,
    }]);
    expect(families.get("commandcenter_large")?.samples[0]?.value).toBe(2 ** 80);
    expect(families.get("commandcenter_read")?.samples[0]?.value).toBe(7);
    expect(families.get("commandcenter_absent")?.samples).toEqual([]);
    expect(families.get("commandcenter_labelled_bytes")?.samples.length).toBe(7);
    expect(families.size).toBe(10);
  });
}

Deno.test("one format leaves no trace in the other", async () => {
  const metrics = sampleMetrics();
  const before = (await metrics.render("prometheus")).body;
  await Promise.all(formats.map((format) => metrics.render(format)));
  expect((await metrics.render("prometheus")).body).toBe(before);
});

Deno.test("any text survives as a label value, in both formats", async () => {
  const text = fc.string({ unit: "grapheme", maxLength: 20 });
  const nasty = fc.constantFrom('"', "\\", "\n", "\\n", '\\"', "},{", "a,b:c", "# EOF", " ");
  await fc.assert(
    fc.asyncProperty(fc.uniqueArray(fc.oneof(text, nasty), { maxLength: 8 }), async (values) => {
      const metrics = new Metrics();
      const name = "commandcenter_texts_total";
      const counter = metrics.forPlugin("demo").counter({ name, help: "A", labels: ["text"] });
      values.forEach((value, index) => counter.labels({ text: value }).inc(index + 1));
      for (const format of formats) {
        const families = parseExposition((await metrics.render(format)).body, format);
        const family = families.get(format === "openmetrics" ? "commandcenter_texts" : name);
        const read = family?.samples.map(({ labels, value }) => [labels.text, value]);
        expect(read).toEqual(values.map((value, index) => [value, index + 1]));
      }
    }),
  );
});
