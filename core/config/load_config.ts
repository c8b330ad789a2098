import { hostname } from "node:os";
import { dirname, resolve } from "node:path";
import type { z } from "zod";
import type { BusSettings } from "../bus/settings.ts";
import { ConfigurationError } from "../errors.ts";
import type { ExecSettings } from "../exec/settings.ts";
import type { HttpSettings } from "../http/settings.ts";
import type { JobSettings } from "../jobs/job_settings.ts";
import type { FetchSettings } from "../net/settings.ts";
import type { Plugin, ProjectEntry } from "../plugin.ts";
import type { StorageSettings } from "../storage/settings.ts";
import { type Fault, faultsError } from "./fault.ts";
import type { LogSettings } from "./log_settings.ts";
import { fillPlaceholders } from "./placeholders.ts";
import { loadPlugin, type PluginRegistry } from "./plugin_registry.ts";
import { readFailure, type ReadFile, readLimited } from "./read_limited.ts";
import { readYaml } from "./read_yaml.ts";
import { configurationSchema, sections } from "./sections.ts";
import type { SourceTree } from "./source_tree.ts";
import { didYouMean } from "./suggestion.ts";
import { validate } from "./validate.ts";

/** Largest configuration file. */
const maxFileBytes = 1024 * 1024;

/** What a host is told to be and to do. */
export interface Configuration {
  /** Absolute path of the file. */
  readonly file: string;
  /** `id` only where it is configured; `dataDir` is absolute. */
  readonly node: { readonly id?: string; readonly name: string; readonly dataDir: string };
  readonly http: HttpSettings;
  readonly bus: BusSettings;
  readonly storage: StorageSettings;
  readonly jobs: JobSettings;
  readonly fetch: FetchSettings;
  readonly exec: ExecSettings;
  readonly log: LogSettings;
  readonly projects: readonly ProjectEntry[];
  /** In the order of the file. */
  readonly plugins: readonly ConfiguredPlugin[];
}

/** A plugin that is on, with its parsed settings. */
export interface ConfiguredPlugin {
  readonly plugin: Plugin;
  readonly config: unknown;
}

export interface LoadOptions {
  readonly registry: PluginRegistry;
  /** The environment that `${env:NAME}` reads. */
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly readFile?: ReadFile;
}

/** Reads, fills and checks a configuration file. Rejects with ConfigurationError, one line per fault, all at once. */
export async function loadConfiguration(file: string, options: LoadOptions): Promise<Configuration> {
  const readFile = options.readFile ?? readLimited;
  const content = readYaml(await readText(file, readFile));
  if ("syntaxFaults" in content) throw faultsError(file, content.syntaxFaults);
  const { tree, templates } = content;
  if (tree.get([]) === null) {
    const text = 'the file is empty; it needs at least "plugins: { event-store: {} }"';
    throw faultsError(file, [{ position: { line: 1, column: 1 }, path: [], text }]);
  }
  const path = resolve(file);
  const sources = { env: options.env, folder: dirname(path), readFile };
  const unfilled = await fillPlaceholders(tree, { templates, sources });
  fillEmptySections(tree);
  const kernel = validate(tree, { schema: configurationSchema, path: [] });
  const plugins = await validatePlugins(tree, options.registry);
  const faults = [...content.faults, ...unfilled, ...plugins.faults];
  if ("faults" in kernel) faults.push(...kernel.faults);
  if (!("output" in kernel) || faults.length > 0) throw faultsError(file, faults);
  return assembled(path, { settings: kernel.output, plugins: plugins.configured });
}

function assembled(
  file: string,
  { settings, plugins }: {
    settings: z.output<typeof configurationSchema>;
    plugins: readonly ConfiguredPlugin[];
  },
): Configuration {
  const { node, http, bus, storage, jobs, fetch, exec, log, projects } = settings;
  return {
    file,
    node: {
      ...(node.id === undefined ? {} : { id: node.id }),
      name: node.name ?? hostname(),
      dataDir: resolve(dirname(file), node.data_dir),
    },
    http,
    bus,
    storage,
    jobs,
    fetch,
    exec,
    log,
    projects,
    plugins,
  };
}

async function readText(file: string, readFile: ReadFile): Promise<string> {
  let bytes: Uint8Array;
  try {
    bytes = await readFile(resolve(file), maxFileBytes);
  } catch (error) {
    const missing = (error as NodeJS.ErrnoException).code === "ENOENT";
    const advice = missing
      ? '; create it, holding at least "plugins: { event-store: {} }", or name another with --config FILE'
      : "";
    throw new ConfigurationError([`Cannot read "${file}": ${readFailure(error)}${advice}`], { cause: error });
  }
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch (error) {
    throw new ConfigurationError([`Cannot read "${file}": it is not UTF-8 text`], { cause: error });
  }
}

/** `http:` with nothing behind it means its defaults, as does `metrics:` among the plugins. */
function fillEmptySections(tree: SourceTree): void {
  for (const name of [...Object.keys(sections), "plugins"]) {
    if (tree.get([name]) === null) tree.set([name], name === "projects" ? [] : {});
  }
}

async function validatePlugins(
  tree: SourceTree,
  registry: PluginRegistry,
): Promise<{ configured: ConfiguredPlugin[]; faults: Fault[] }> {
  const configured: ConfiguredPlugin[] = [];
  const faults: Fault[] = [];
  const chosen = tree.get(["plugins"]);
  const known = Object.keys(registry).toSorted();
  const names = typeof chosen === "object" && chosen !== null && !Array.isArray(chosen)
    ? Object.keys(chosen)
    : [];
  for (const name of names) {
    const path = ["plugins", name];
    if (!Object.hasOwn(registry, name)) {
      const text = `unknown plugin${didYouMean(name, known)} (there are: ${known.join(", ")})`;
      faults.push({ position: tree.position(path, "key"), path, text });
      continue;
    }
    const plugin = await loadPlugin(registry, name);
    if (tree.get(path) === null) tree.set(path, {});
    const result = validate(tree, { schema: plugin.config, path });
    if ("output" in result) configured.push({ plugin, config: result.output });
    else faults.push(...result.faults);
  }
  return { configured, faults };
}
