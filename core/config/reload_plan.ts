import type { ProjectEntry } from "../plugin.ts";
import { changedPaths } from "./changed_paths.ts";
import type { Configuration } from "./load_config.ts";

/** What a reload does to the plugins, by name, in the order of the file. */
export interface ReloadPlan {
  readonly kept: readonly string[];
  readonly restarted: readonly string[];
  readonly started: readonly string[];
  readonly stopped: readonly string[];
  /** Paths of settings that differ but are only read at the start of the agent, such as `http.port`. */
  readonly needsRestart: readonly string[];
}

/** A plugin as it runs. */
export interface RunningPlugin {
  readonly config: unknown;
  readonly projects: readonly ProjectEntry[];
  /** Whether it has looked at the projects: only then is it concerned when they change. */
  readonly readsProjects: boolean;
  /** Whether every event and every job goes through it. */
  readonly keepsEvents: boolean;
}

/**
 * What is to be done so that an agent that was started with `before`, and in which `running` runs, follows `after`. The
 * plugin that keeps the events is not taken away from those that rely on it: its end waits for the next start.
 */
export function reloadPlan(
  before: Configuration,
  after: Configuration,
  running: ReadonlyMap<string, RunningPlugin>,
): ReloadPlan {
  const plan = {
    kept: [] as string[],
    restarted: [] as string[],
    started: [] as string[],
    stopped: [] as string[],
  };
  const needsRestart = changedPaths(kernelSections(before), kernelSections(after));
  for (const { plugin: { name }, config } of after.plugins) {
    const current = running.get(name);
    if (!current) plan.started.push(name);
    else if (isConcerned(current, { config, projects: after.projects })) plan.restarted.push(name);
    else plan.kept.push(name);
  }
  const wanted = new Set(after.plugins.map(({ plugin }) => plugin.name));
  for (const [name, { keepsEvents }] of running) {
    if (wanted.has(name)) continue;
    (keepsEvents ? plan.kept : plan.stopped).push(name);
    if (keepsEvents) needsRestart.push(`plugins.${name}`);
  }
  return { ...plan, needsRestart };
}

function isConcerned(
  current: RunningPlugin,
  next: { config: unknown; projects: readonly ProjectEntry[] },
): boolean {
  const { config, projects, readsProjects } = current;
  return changedPaths(config, next.config).length > 0 ||
    (readsProjects && changedPaths(projects, next.projects).length > 0);
}

/** What the kernel itself is built from, under the names of the file. */
function kernelSections(configuration: Configuration): Readonly<Record<string, unknown>> {
  const { file: _file, projects: _projects, plugins: _plugins, node, ...sections } = configuration;
  return { node: { id: node.id, name: node.name, data_dir: node.dataDir }, ...sections };
}
