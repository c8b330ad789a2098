import type { Plugin } from "../../core/plugin.ts";
import { dashboard } from "../../plugins/metrics/dashboard.ts";
import { metricColumns, metricRows } from "../../plugins/metrics/metric_rows.ts";
import type { AgentDescription, DescribedRoute } from "./described_agent.ts";
import type { GeneratedFile } from "./generated_file.ts";
import { hasSection, markdownTable, replaceSection } from "./marked_section.ts";

/** The tables of routes and metrics in a plugin's README.md. */
export function pluginTables(plugin: Plugin, agent: AgentDescription): GeneratedFile {
  // The kernel has no README of its own: its metrics stand with the plugin that shows them.
  const owners = plugin.name === "metrics" ? ["kernel", "metrics"] : [plugin.name];
  const routes = agent.routes.filter(({ path }) =>
    plugin.prefixes.some((prefix) => path === prefix || path.startsWith(`${prefix}/`))
  );
  return {
    file: `plugins/${plugin.name}/README.md`,
    content: (current) => {
      if (!current) return current;
      const withRoutes = filled(current, { name: "routes", content: routesTable(routes) });
      const content = markdownTable(metricColumns, metricRows(agent.metrics, owners));
      return filled(withRoutes, { name: "metrics", content });
    },
  };
}

/** The routes of the kernel itself, in docs/http.md. */
export function kernelRoutes(plugins: readonly Plugin[], agent: AgentDescription): GeneratedFile {
  const taken = plugins.flatMap((plugin) => plugin.prefixes);
  const routes = agent.routes.filter(({ path }) => !taken.some((prefix) => path.startsWith(prefix)));
  return {
    file: "docs/http.md",
    content: (current) => current && filled(current, { name: "routes", content: routesTable(routes) }),
  };
}

/** The Grafana dashboard: a panel for every metric, so that names cannot drift. */
export function grafanaDashboard(agent: AgentDescription): GeneratedFile {
  return {
    file: "config/grafana/commandcenter.json",
    content: () => `${JSON.stringify(dashboard(agent.metrics), null, 2)}\n`,
  };
}

function routesTable(routes: readonly DescribedRoute[]): string {
  const rows = routes.map(({ method, path, access, summary }) => [`\`${method} ${path}\``, access, summary]);
  return markdownTable(["Route", "Key", "Meaning"], rows);
}

function filled(text: string, section: { name: string; content: string }): string {
  return hasSection(text, section.name) ? replaceSection(text, section) : text;
}
