import { expect } from "expect";
import { checkDeclaration, type MetricDescription } from "./metric_rules.ts";

const good: MetricDescription = {
  name: "commandcenter_things_done_total",
  type: "counter",
  help: "Things that were done",
  labels: ["kind"],
  owner: "demo",
};

const gauge = (name: string): MetricDescription => ({ ...good, name, type: "gauge" });

Deno.test("checkDeclaration takes what keeps to the rules", () => {
  for (const description of [good, gauge("commandcenter_things"), gauge("commandcenter_disk_free_bytes")]) {
    expect(() => checkDeclaration(description)).not.toThrow();
  }
});

const faults: Record<string, [MetricDescription, RegExp, number[]?]> = {
  "another beginning": [{ ...good, name: "things_done_total" }, /commandcenter_ and lower-case/],
  "upper case": [gauge("commandcenter_Things"), /lower-case/],
  "a double underscore": [gauge("commandcenter__things"), /single _/],
  "a counter without _total": [{ ...good, name: "commandcenter_things" }, /has to end in _total/],
  "a gauge with _total": [gauge("commandcenter_things_total"), /only a counter/],
  "the ending of a histogram's part": [gauge("commandcenter_things_count"), /belong to histograms/],
  "such an ending before _total": [
    { ...good, name: "commandcenter_things_sum_total" },
    /belong to histograms/,
  ],
  "milliseconds": [gauge("commandcenter_lag_ms"), /"ms" is no base unit/],
  "megabytes inside": [gauge("commandcenter_megabytes_used"), /"megabytes" is no base unit/],
  "percent": [gauge("commandcenter_cpu_percent"), /use seconds, bytes or ratio/],
  "no help": [{ ...good, help: "" }, /help text/],
  "help with a line break": [{ ...good, help: "a\nb" }, /help text/],
  "help with a quote": [{ ...good, help: 'a "b"' }, /help text/],
  "a label in upper case": [{ ...good, labels: ["Kind"] }, /"Kind" is no label name/],
  "a reserved label": [{ ...good, labels: ["le"] }, /"le" is no label name/],
  "a label twice": [{ ...good, labels: ["kind", "kind"] }, /occurs twice/],
  "buckets that fall": [gauge("commandcenter_things"), /ascend/, [2, 1]],
  "an infinite bucket": [gauge("commandcenter_things"), /finite/, [1, Infinity]],
};

for (const [what, [description, error, buckets]] of Object.entries(faults)) {
  Deno.test(`checkDeclaration refuses ${what}`, () => {
    const check = () => checkDeclaration(description, buckets);
    expect(check).toThrow(error);
    expect(check).toThrow(`Cannot declare the metric "${description.name}": `);
  });
}
