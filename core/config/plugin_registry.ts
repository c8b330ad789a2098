import type { Plugin } from "../plugin.ts";

/** The plugins that this program holds: name -> its module, loaded when the configuration names it. */
export type PluginRegistry = Readonly<Record<string, () => Promise<{ readonly default: Plugin }>>>;

/** Loads every plugin of the registry, in the order of their names. Rejects naming the one that cannot be loaded. */
export function loadAllPlugins(registry: PluginRegistry): Promise<Plugin[]> {
  return Promise.all(Object.keys(registry).toSorted().map((name) => loadPlugin(registry, name)));
}

/** Loads one plugin, which has to be in the registry. Rejects naming it. */
export async function loadPlugin(registry: PluginRegistry, name: string): Promise<Plugin> {
  try {
    return (await registry[name]!()).default;
  } catch (error) {
    throw new Error(`Cannot load the plugin "${name}": its module failed`, { cause: error });
  }
}
