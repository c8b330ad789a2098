import { expect } from "expect";
import { join } from "node:path";
import { parse } from "yaml";
import { loadAllPlugins } from "../../core/config/plugin_registry.ts";
import type { MetricDescription } from "../../core/metrics.ts";
import { registry } from "../../plugins/registry.ts";
import { parseExposition } from "../../tests/support/parse_exposition.ts";
import { locate } from "../../tests/support/requirement.ts";
import { startTestKernel } from "../../tests/support/test_kernel.ts";
import { testWith } from "../../tests/support/test_with.ts";
import { repository } from "../setup/tools_folder.ts";
import { type Alert, alerts } from "./alerts.ts";
import { alertRules, metricNames } from "./alert_rules.ts";

const rulesFile = join(repository, "config/prometheus/alerts.yml");
const dashboardFile = join(repository, "config/grafana/commandcenter.json");

interface Rule {
  readonly alert: string;
  readonly expr: string;
  readonly annotations: Readonly<Record<string, string>>;
}

async function rules(): Promise<readonly Rule[]> {
  return parse(await Deno.readTextFile(rulesFile)).groups[0].rules;
}

Deno.test("every metric in the rules and on the dashboard is in a live scrape", async () => {
  await using kernel = await startTestKernel({ plugins: await loadAllPlugins(registry) });
  const scrape = parseExposition(await (await kernel.fetch("/metrics")).text(), "prometheus");
  const there = (name: string) =>
    scrape.has(name) || scrape.get(name.replace(/_bucket$/, ""))?.type === "histogram";
  for (const file of [rulesFile, dashboardFile]) {
    const names = metricNames(await Deno.readTextFile(file));
    expect(names.length).toBeGreaterThan(10);
    expect({ file, missing: names.filter((name) => !there(name)) }).toEqual({ file, missing: [] });
  }
});

Deno.test("every alert says in words what is the matter and what to do", async () => {
  const found = await rules();
  expect(found.map(({ alert }) => alert)).toEqual(alerts.map(({ name }) => `CommandCenter${name}`));
  expect(new Set(found.map(({ alert }) => alert)).size).toBe(found.length);
  for (const { annotations } of found) {
    expect(annotations.summary).toMatch(/^\{\{ \$labels\.instance \}\}: .+/);
    expect(annotations.description!.length).toBeGreaterThan(20);
  }
});

Deno.test("an alert about a metric that no agent has is not written", () => {
  const metric: MetricDescription = {
    name: "commandcenter_demo_seconds",
    type: "histogram",
    labels: [],
    help: "A",
    owner: "demo",
  };
  const alert: Alert = {
    name: "Demo",
    expr: "commandcenter_demo_seconds_bucket > 0",
    for: "0m",
    severity: "warning",
    summary: "demo",
    action: "none",
  };
  expect(alertRules([alert], [metric])).toContain("CommandCenterDemo");
  expect(() => alertRules([{ ...alert, expr: "commandcenter_gone > 0" }], [metric])).toThrow(
    'Cannot write the alert "Demo": no agent has the metric commandcenter_gone',
  );
});

testWith({
  needs: ["promtool"],
  name: "promtool accepts the rules and the configuration of Prometheus",
  run: async () => {
    const check = async (...args: string[]) => {
      const { code, stdout, stderr } = await new Deno.Command(locate("promtool"), { args }).output();
      const said = new TextDecoder().decode(stdout) + new TextDecoder().decode(stderr);
      expect({ code, said }).toMatchObject({ code: 0 });
      return said;
    };
    expect(await check("check", "rules", rulesFile)).toContain(`${alerts.length} rules found`);
    await check("check", "config", join(repository, "config/prometheus/prometheus.yml"));
  },
});
