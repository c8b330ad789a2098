import { expect } from "expect";
import type { MetricDescription } from "../../core/metrics.ts";
import { dashboard } from "./dashboard.ts";

const metric = (name: string, type: MetricDescription["type"], labels: string[] = []): MetricDescription => ({
  name: `commandcenter_${name}`,
  type,
  labels,
  help: "Help",
  owner: "demo",
});

const all = [
  metric("http_requests_total", "counter", ["route"]),
  metric("http_wait_seconds", "histogram"),
  metric("http_sent_bytes_total", "counter"),
  metric("http_open", "gauge"),
  metric("storage_size_bytes", "gauge"),
  metric("build_info", "gauge", ["version"]),
];

interface Panel {
  readonly id: number;
  readonly type: string;
  readonly title: string;
  readonly gridPos: { readonly x: number; readonly y: number; readonly w: number; readonly h: number };
  readonly fieldConfig?: { readonly defaults: { readonly unit: string } };
  readonly targets?: readonly { readonly expr: string }[];
}

const panels = dashboard(all).panels as readonly Panel[];

Deno.test("every metric but the build has a panel, every group a row", () => {
  expect(panels.map(({ type, title }) => `${type} ${title}`)).toEqual([
    "row http",
    "timeseries requests per second",
    "timeseries wait",
    "timeseries sent per second",
    "timeseries open",
    "row storage",
    "timeseries size",
  ]);
});

Deno.test("the query and the unit follow from the declaration", () => {
  const found = Object.fromEntries(panels.map((panel) => [panel.title, panel]));
  const query = (title: string) => found[title]?.targets?.map((target) => target.expr);
  expect(query("requests per second")).toEqual([
    'sum by (instance, route) (rate(commandcenter_http_requests_total{instance=~"$instance"}[$__rate_interval]))',
  ]);
  expect(query("size")).toEqual(['commandcenter_storage_size_bytes{instance=~"$instance"}']);
  expect(query("wait")?.[1]).toContain("histogram_quantile(0.99, sum by (le, instance)");
  const unit = (title: string) => found[title]?.fieldConfig?.defaults.unit;
  expect([unit("requests per second"), unit("sent per second"), unit("wait"), unit("size"), unit("open")])
    .toEqual(["ops", "Bps", "s", "bytes", "none"]);
});

Deno.test("no two panels overlap, and ids are unique", () => {
  const cells = panels.flatMap(({ gridPos: { x, y, w, h } }) =>
    Array.from({ length: w * h }, (_, cell) => `${x + cell % w},${y + Math.floor(cell / w)}`)
  );
  expect(new Set(cells).size).toBe(cells.length);
  expect(new Set(panels.map((panel) => panel.id)).size).toBe(panels.length);
});
