import { expect } from "expect";
import fc from "fast-check";
import { negotiateFormat } from "./negotiate_format.ts";

const prometheusServer = "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6," +
  "application/openmetrics-text;version=0.0.1;q=0.5,text/plain;version=1.0.0;q=0.4," +
  "text/plain;version=0.0.4;q=0.3,*/*;q=0.2";

const cases: [accept: string | undefined, format: "prometheus" | "openmetrics"][] = [
  [undefined, "prometheus"],
  ["", "prometheus"],
  ["*/*", "prometheus"],
  ["text/html,application/xhtml+xml,*/*;q=0.8", "prometheus"],
  ["application/*", "prometheus"],
  ["application/json", "prometheus"],
  ["text/plain;version=0.0.4", "prometheus"],
  ["application/openmetrics-text", "openmetrics"],
  ["APPLICATION/OpenMetrics-Text ; Version=1.0.0", "openmetrics"],
  ['application/openmetrics-text;version="1.0.0"', "openmetrics"],
  ["application/openmetrics-text;version=2.0.0", "prometheus"],
  ["application/openmetrics-text;version=0.0.1", "prometheus"],
  ["application/openmetrics-text;q=0", "prometheus"],
  ["application/openmetrics-text;q=0.4,text/plain;q=0.5", "prometheus"],
  ["application/openmetrics-text;q=0.5,text/plain;q=0.5", "openmetrics"],
  ["text/plain;q=0.1,application/openmetrics-text;q=0.9,*/*", "openmetrics"],
  ["application/openmetrics-text;q=0.5,*/*;q=0.8", "prometheus"],
  ["application/openmetrics-text;q=7", "prometheus"],
  ["application/openmetrics-text;q=high", "prometheus"],
  [prometheusServer, "openmetrics"],
];

for (const [accept, format] of cases) {
  Deno.test(`Accept: ${accept ?? "(none)"} gets ${format}`, () => {
    expect(negotiateFormat(accept)).toBe(format);
  });
}

Deno.test("no Accept header is too odd", () => {
  const piece = fc.oneof(fc.string(), fc.constantFrom(";", ",", "q=", "=", "application/openmetrics-text"));
  fc.assert(fc.property(fc.array(piece), (pieces) => {
    expect(["prometheus", "openmetrics"]).toContain(negotiateFormat(pieces.join("")));
  }));
});
