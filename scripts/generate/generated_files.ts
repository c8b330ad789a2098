import { configurationJsonSchema } from "../../core/config/json_schema.ts";
import { loadAllPlugins } from "../../core/config/plugin_registry.ts";
import { registry } from "../../plugins/registry.ts";
import { grafanaDashboard, kernelRoutes, pluginTables } from "./agent_tables.ts";
import { alertFiles } from "./alert_rules.ts";
import { describeAgent } from "./described_agent.ts";
import type { GeneratedFile } from "./generated_file.ts";
import { kernelSettings, pluginSettings } from "./settings_tables.ts";

/** Everything that is generated; a new kind is added here. */
export async function generatedFiles(): Promise<GeneratedFile[]> {
  const plugins = await loadAllPlugins(registry);
  const agent = await describeAgent(plugins);
  return [
    {
      file: "config/schema.json",
      content: () => `${JSON.stringify(configurationJsonSchema(plugins), null, 2)}\n`,
    },
    ...kernelSettings,
    ...plugins.map(pluginSettings),
    ...plugins.map((plugin) => pluginTables(plugin, agent)),
    kernelRoutes(plugins, agent),
    grafanaDashboard(agent),
    ...alertFiles(agent),
  ];
}
