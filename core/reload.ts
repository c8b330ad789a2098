import { z } from "zod";
import type { Configuration } from "./config/load_config.ts";
import { type ReloadPlan, reloadPlan } from "./config/reload_plan.ts";
import { ConfigurationError } from "./errors.ts";
import { defineEvent } from "./events.ts";
import type { Logger } from "./log.ts";
import type { FailedPlugin, PluginEntry, PluginSet } from "./plugin_set.ts";
import type { Publisher } from "./publisher.ts";

const names = z.array(z.string());

/** The agent has followed its configuration; what was kept is not named. */
export const agentReloaded = defineEvent(
  "agent.reloaded",
  z.object({ restarted: names, started: names, stopped: names, failed: names, needs_restart: names }),
);

/** What a reload did: a plugin that failed stands in `failed` alone. */
export interface ReloadResult extends ReloadPlan {
  readonly failed: readonly FailedPlugin[];
}

interface ReloadOptions {
  /** What the agent was started with. */
  readonly configuration: Configuration;
  readonly readConfiguration: () => Promise<Configuration>;
  readonly plugins: PluginSet;
  readonly publisher: Publisher;
  readonly log: Logger;
}

/** Makes a running agent follow its configuration. Not to be called twice at once. */
export class Reload {
  readonly #options: ReloadOptions;

  constructor(options: ReloadOptions) {
    this.#options = options;
  }

  /** What `apply` would do. Rejects with ConfigurationError on a faulty file. */
  async plan(): Promise<ReloadPlan> {
    return this.#planFor(await this.#options.readConfiguration());
  }

  /** Reads the configuration and changes what has changed in it. A faulty file changes nothing: ConfigurationError. */
  async apply(): Promise<ReloadResult> {
    const { plugins, log } = this.#options;
    const configuration = await this.#read();
    const plan = this.#planFor(configuration);
    log.info("reloading", shown(plan));
    const failed = await plugins.change(plan, pluginEntries(configuration));
    const isWell = (name: string) => !failed.some((each) => each.name === name);
    const result = {
      ...plan,
      restarted: plan.restarted.filter(isWell),
      started: plan.started.filter(isWell),
      failed,
    };
    const { restarted, started, stopped } = result;
    if (failed.length > 0) log.error("reloaded, but not all of it", { ...shown(result), failed });
    else log.info("reloaded", shown(result));
    if (restarted.length + started.length + stopped.length + failed.length > 0) await this.#tell(result);
    return result;
  }

  #planFor(configuration: Configuration): ReloadPlan {
    const { configuration: before, plugins } = this.#options;
    return reloadPlan(before, configuration, plugins.running);
  }

  async #read(): Promise<Configuration> {
    try {
      return await this.#options.readConfiguration();
    } catch (error) {
      if (!(error instanceof ConfigurationError)) throw error;
      this.#options.log.error("cannot reload: the configuration is faulty, and nothing was changed", {
        faults: error.lines,
      });
      throw error;
    }
  }

  async #tell({ restarted, started, stopped, failed, needsRestart }: ReloadResult): Promise<void> {
    const data = {
      restarted: [...restarted],
      started: [...started],
      stopped: [...stopped],
      failed: failed.map(({ name }) => name),
      needs_restart: [...needsRestart],
    };
    try {
      await this.#options.publisher.publish(agentReloaded, data, { service: "kernel" });
    } catch (error) {
      this.#options.log.warn("the event about the reload could not be published", { error });
    }
  }
}

/** The plugins of a configuration, with all that each is started with. */
export function pluginEntries({ plugins, projects }: Configuration): PluginEntry[] {
  return plugins.map(({ plugin, config }) => ({ plugin, config, projects }));
}

function shown({ kept, restarted, started, stopped, needsRestart }: ReloadPlan) {
  return { kept, restarted, started, stopped, needs_restart: needsRestart };
}
