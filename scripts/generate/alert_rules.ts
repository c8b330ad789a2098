import { stringify } from "yaml";
import type { MetricDescription } from "../../core/metrics.ts";
import type { AgentDescription } from "./described_agent.ts";
import { type Alert, alerts } from "./alerts.ts";
import type { GeneratedFile } from "./generated_file.ts";
import { markdownTable, replaceSection } from "./marked_section.ts";

/** The rules for Prometheus, and their runbook in docs/operations.md. */
export function alertFiles(agent: AgentDescription): GeneratedFile[] {
  return [
    { file: "config/prometheus/alerts.yml", content: () => alertRules(alerts, agent.metrics) },
    {
      file: "docs/operations.md",
      content: (current) => current && replaceSection(current, { name: "alerts", content: runbook(alerts) }),
    },
  ];
}

/** The rules as YAML. Throws naming the alert that asks for a metric that no agent has. */
export function alertRules(rules: readonly Alert[], metrics: readonly MetricDescription[]): string {
  for (const { name, expr } of rules) {
    const unknown = metricNames(expr).find((found) => !metrics.some((metric) => isSampleOf(metric, found)));
    if (unknown) throw new Error(`Cannot write the alert "${name}": no agent has the metric ${unknown}`);
  }
  const content = {
    groups: [{
      name: "commandcenter",
      rules: rules.map((rule) => ({
        alert: `CommandCenter${rule.name}`,
        expr: rule.expr,
        for: rule.for,
        labels: { severity: rule.severity },
        annotations: {
          summary: `{{ $labels.instance }}: ${rule.summary}`,
          description: rule.action,
          runbook: "docs/operations.md#alerts",
        },
      })),
    }],
  };
  return `# Made by "deno task generate" from scripts/generate/alerts.ts.\n${
    stringify(content, { lineWidth: 0 })
  }`;
}

/** Names of our metrics in a query of Prometheus or a panel of Grafana. */
export function metricNames(query: string): string[] {
  return [...new Set(query.match(/\bcommandcenter_[a-z0-9_]+/g))];
}

function isSampleOf({ name, type }: MetricDescription, found: string): boolean {
  return type === "histogram" ? found.replace(/_(bucket|count|sum)$/, "") === name : found === name;
}

function runbook(rules: readonly Alert[]): string {
  return markdownTable(
    ["Alert", "Raised when", "What to do"],
    rules.map(({ name, severity, summary, for: duration, action }) => [
      `\`${name}\`${severity === "critical" ? ", critical" : ""}`,
      summary.replaceAll("{{ $value }} ", "").replaceAll(
        /\{\{ \$labels\.(\w+) \}\}/g,
        (_, label) => label.toUpperCase(),
      ) +
      (duration === "0m" ? "" : `, for ${duration}`),
      action,
    ]),
  );
}
