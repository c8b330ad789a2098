import type { MetricDescription } from "../../core/metrics.ts";

type Json = Readonly<Record<string, unknown>>;

const columns = 24;
const panelWidth = 8;
const panelHeight = 7;
const interval = "$__rate_interval";
const selector = 'instance=~"$instance"';
const datasource = { type: "prometheus", uid: "${datasource}" };

/**
 * The Grafana dashboard of all these metrics: a row for each group of names, a panel for each metric. What is drawn
 * follows from the declaration (counter: rate, histogram: p50 and p99), so that no panel can ask for what is not there.
 */
export function dashboard(all: readonly MetricDescription[]): Json {
  const groups = Map.groupBy(all.filter((metric) => !metric.name.endsWith("_info")), groupOf);
  const panels: Json[] = [];
  let y = 0;
  for (const [group, metrics] of [...groups].sort()) {
    panels.push({ type: "row", title: group, gridPos: { x: 0, y, w: columns, h: 1 }, panels: [] });
    y++;
    const perRow = columns / panelWidth;
    for (const [place, metric] of metrics.entries()) {
      const x = (place % perRow) * panelWidth;
      const top = y + Math.floor(place / perRow) * panelHeight;
      panels.push(panel(metric, { x, y: top, w: panelWidth, h: panelHeight }));
    }
    y += Math.ceil(metrics.length / perRow) * panelHeight;
  }
  return {
    uid: "commandcenter",
    title: "CommandCenter",
    schemaVersion: 39,
    timezone: "browser",
    refresh: "30s",
    time: { from: "now-1h", to: "now" },
    templating: { list: variables() },
    panels: panels.map((each, index) => ({ id: index + 1, ...each })),
  };
}

function variables(): Json[] {
  return [
    { type: "datasource", name: "datasource", label: "Data source", query: "prometheus" },
    {
      type: "query",
      name: "instance",
      label: "Host",
      datasource,
      query: "label_values(commandcenter_build_info, instance)",
      includeAll: true,
      multi: true,
      refresh: 2,
    },
  ];
}

function groupOf({ name }: MetricDescription): string {
  return name.split("_")[1]!;
}

function panel(metric: MetricDescription, gridPos: Json): Json {
  return {
    type: "timeseries",
    title: titleOf(metric),
    description: `${metric.help} (${metric.name})`,
    datasource,
    gridPos,
    fieldConfig: { defaults: { unit: unitOf(metric), min: 0 }, overrides: [] },
    options: { legend: { displayMode: "list", placement: "bottom" }, tooltip: { mode: "multi" } },
    targets: queriesOf(metric).map(({ expr, legend }, index) => ({
      refId: String.fromCharCode(65 + index),
      datasource,
      expr,
      legendFormat: legend,
    })),
  };
}

function titleOf({ name, type }: MetricDescription): string {
  const words = name.split("_").slice(2).filter((word) => !["total", "seconds", "bytes"].includes(word));
  return `${words.join(" ")}${type === "counter" ? " per second" : ""}`.trim();
}

function queriesOf({ name, type, labels }: MetricDescription): { expr: string; legend: string }[] {
  const by = ["instance", ...labels];
  const legend = by.map((label) => `{{${label}}}`).join(" ");
  if (type === "counter") {
    return [{ expr: `sum by (${by.join(", ")}) (rate(${name}{${selector}}[${interval}]))`, legend }];
  }
  if (type === "gauge") return [{ expr: `${name}{${selector}}`, legend }];
  return [0.5, 0.99].map((share) => ({
    expr:
      `histogram_quantile(${share}, sum by (le, instance) (rate(${name}_bucket{${selector}}[${interval}])))`,
    legend: `p${share * 100} {{instance}}`,
  }));
}

/** Grafana's name of the unit; the rate of a counter of seconds is a number of processors in use. */
function unitOf({ name, type }: MetricDescription): string {
  const base = name.replace(/_total$/, "").split("_").at(-1);
  if (type === "counter") return base === "bytes" ? "Bps" : base === "seconds" ? "none" : "ops";
  if (name.endsWith("_start_time_seconds")) return "dateTimeAsIso";
  return { seconds: "s", bytes: "bytes", ratio: "percentunit" }[base ?? ""] ?? "none";
}
