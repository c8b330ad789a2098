import { expect } from "expect";
import { parseExposition } from "./parse_exposition.ts";

const counter = (...samples: string[]) =>
  ["# HELP a_total A", "# TYPE a_total counter", ...samples, ""].join("\n");
const histogram = (...samples: string[]) => ["# HELP h H", "# TYPE h histogram", ...samples, ""].join("\n");

Deno.test("parseExposition reads families, labels and escapes", () => {
  const families = parseExposition(
    counter('a_total{path="c:\\\\d \\"e\\"\\n"} 1', "", "a_total 2e+21"),
    "prometheus",
  );
  expect(families.get("a_total")).toEqual({
    name: "a_total",
    help: "A",
    type: "counter",
    samples: [
      { name: "a_total", labels: { path: 'c:\\d "e"\n' }, value: 1 },
      { name: "a_total", labels: {}, value: 2e21 },
    ],
  });
});

const faults: Record<string, [body: string, format: "prometheus" | "openmetrics", error: RegExp]> = {
  "no end of line": ["# HELP a A", "prometheus", /no end/],
  "no EOF": ["# HELP a A\n# TYPE a gauge\n", "openmetrics", /EOF/],
  "something after EOF": ["# EOF\n# HELP a A\n", "openmetrics", /EOF/],
  "EOF in the wrong format": ["# EOF\n", "prometheus", /neither/],
  "a blank line in OpenMetrics": ["# HELP a A\n\n# TYPE a gauge\n# EOF\n", "openmetrics", /neither|sample/],
  "no type": ["# HELP a A\n", "prometheus", /no # TYPE/],
  "a sample without type": ["# HELP a A\na 1\n", "prometheus", /before its/],
  "a family twice": [counter() + counter(), "prometheus", /twice/],
  "another family's sample": [counter("b_total 1"), "prometheus", /not of a_total/],
  "_total in an OpenMetrics family": [counter() + "# EOF\n", "openmetrics", /_total/],
  "a series twice": [counter("a_total 1", "a_total 2"), "prometheus", /twice/],
  "a label twice": [counter('a_total{b="1",b="2"} 1'), "prometheus", /twice/],
  "a raw quote": [counter('a_total{b="1"2"} 1'), "prometheus", /no sample/],
  "an unknown escape": [counter('a_total{b="\\t"} 1'), "prometheus", /no sample/],
  "a trailing comma": [counter('a_total{b="1",} 1'), "prometheus", /no sample/],
  "no number": [counter("a_total Nan"), "prometheus", /no number/],
  "a negative counter": [counter("a_total -1"), "prometheus", /negative/],
  "a histogram without +Inf": [histogram('h_bucket{le="1"} 1', "h_sum 1", "h_count 1"), "prometheus", /Inf/],
  "buckets that fall": [
    histogram('h_bucket{le="1"} 2', 'h_bucket{le="+Inf"} 1', "h_sum 1", "h_count 1"),
    "prometheus",
    /ascend/,
  ],
  "a bound that is not canonical": [
    histogram('h_bucket{le="1"} 1', 'h_bucket{le="+Inf"} 1', "h_sum 1", "h_count 1") + "# EOF\n",
    "openmetrics",
    /canonical/,
  ],
};

for (const [what, [body, format, error]] of Object.entries(faults)) {
  Deno.test(`parseExposition refuses ${what}`, () => {
    expect(() => parseExposition(body, format)).toThrow(error);
  });
}
