import type { PluginRegistry } from "../core/config/plugin_registry.ts";

/** Every plugin by its name. The imports are literal, so that a compiled binary holds them all. */
export const registry: PluginRegistry = {
  "event-store": () => import("./event-store/plugin.ts"),
  "metrics": () => import("./metrics/plugin.ts"),
};
