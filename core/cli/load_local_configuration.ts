import type { Configuration } from "../config/load_config.ts";
import type { GlobalOptions } from "./invocation.ts";
import { configFile } from "./local_settings.ts";

/** The whole configuration of this host, checked. Rejects with ConfigurationError. */
export async function loadLocalConfiguration(
  options: GlobalOptions,
  env: Readonly<Record<string, string | undefined>>,
): Promise<Configuration> {
  // Loaded late: commands that only speak HTTP stay fast without them.
  const [{ loadConfiguration }, { registry }] = await Promise.all([
    import("../config/load_config.ts"),
    import("../../plugins/registry.ts"),
  ]);
  return await loadConfiguration(configFile(options.config, env).path, { registry, env });
}
