import type { Configuration } from "../config/load_config.ts";
import { ConfigurationError } from "../errors.ts";
import { exitCode } from "./cli_error.ts";
import type { Invocation } from "./invocation.ts";
import { loadLocalConfiguration } from "./load_local_configuration.ts";
import { printJson } from "./print_json.ts";
import { printFields } from "./table.ts";

/** `check`: tells all that is wrong with the configuration, or what it amounts to; starts nothing. */
export async function checkConfig({ terminal, options }: Invocation): Promise<number> {
  let configuration: Configuration;
  try {
    configuration = await loadLocalConfiguration(options, terminal.env);
  } catch (error) {
    if (!options.json || !(error instanceof ConfigurationError)) throw error;
    printJson(terminal, { ok: false, faults: error.lines });
    return exitCode.configuration;
  }
  const { file, node, http, bus, storage, projects, plugins } = configuration;
  const summary = {
    file,
    node: node.id ?? node.name,
    data_dir: node.dataDir,
    http: `${http.host}:${http.port}`,
    bus: bus.url,
    storage: place(storage.url),
    projects: projects.map((project) => project.slug),
    plugins: plugins.map(({ plugin }) => plugin.name),
  };
  if (options.json) printJson(terminal, { ok: true, ...summary });
  else {
    terminal.print(terminal.paint("green", "OK"));
    printFields(terminal, {
      ...summary,
      projects: summary.projects.join(", "),
      plugins: summary.plugins.join(", "),
    });
  }
  return exitCode.ok;
}

/** Only where it is; user, password and parameters are nobody's business. */
function place(url: string): string {
  if (!/^postgres/.test(url)) return url;
  const { protocol, host, pathname } = new URL(url);
  return `${protocol}//${host}${pathname}`;
}
