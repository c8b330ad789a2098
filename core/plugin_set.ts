import type { ReloadPlan, RunningPlugin } from "./config/reload_plan.ts";
import { messageOf } from "./errors.ts";
import type { Plugin, ProjectEntry } from "./plugin.ts";
import { PluginHost, type Shared } from "./plugin_host.ts";
import { redactText } from "./redact_text.ts";
import { detached } from "./trace.ts";

/** What a plugin is started with. */
export interface PluginEntry {
  readonly plugin: Plugin;
  readonly config: unknown;
  readonly projects: readonly ProjectEntry[];
}

/** A plugin that a change could not start as it was meant to. */
export interface FailedPlugin {
  readonly name: string;
  /** Why, without secrets. */
  readonly detail: string;
  /** Whether it runs on with its old settings. */
  readonly putBack: boolean;
}

interface Running {
  readonly entry: PluginEntry;
  readonly host: PluginHost;
}

/** The plugins of an agent: started together, stopped together, and changed one at a time while the others serve. */
export class PluginSet {
  readonly #shared: Shared;
  readonly #running = new Map<string, Running>();
  #entries: ReadonlyMap<string, PluginEntry>;

  constructor(entries: readonly PluginEntry[], shared: Shared) {
    this.#entries = byName(entries);
    this.#shared = shared;
  }

  /** What runs at the moment, by name. */
  get running(): ReadonlyMap<string, RunningPlugin> {
    return new Map([...this.#running].map(([name, { entry, host }]) => {
      const { readsProjects, keepsEvents } = host;
      return [name, { config: entry.config, projects: entry.projects, readsProjects, keepsEvents }];
    }));
  }

  /** Starts all of them: every one declares, then the doors open. After a rejection, `stopAll` gives back what there is. */
  async startAll(): Promise<void> {
    await this.#start([...this.#entries.values()]);
  }

  /** Stops what runs, all at once. */
  async stopAll(): Promise<void> {
    await this.#stop([...this.#running.keys()]);
  }

  /** Stops one plugin. Rejects where it does not run. */
  async stopOne(name: string): Promise<void> {
    if (!this.#running.has(name)) throw new Error(`Cannot stop "${name}": it does not run`);
    await this.#stop([name]);
  }

  /** Starts one plugin that is stopped. Where that fails, it holds nothing afterwards. */
  async startOne(name: string): Promise<void> {
    const entry = this.#entries.get(name);
    if (!entry) throw new Error(`Cannot start "${name}": it is not in the configuration`);
    if (this.#running.has(name)) throw new Error(`Cannot start "${name}": it runs already`);
    await this.#startAlone(entry);
  }

  /**
   * Brings what runs in line with `entries`, as `plan` says: one plugin after the other, so that each is away as shortly
   * as can be. One that does not start is put back with what it ran with before.
   */
  async change(plan: ReloadPlan, entries: readonly PluginEntry[]): Promise<FailedPlugin[]> {
    const failed: FailedPlugin[] = [];
    const wanted = byName(entries);
    await this.#stop(plan.stopped);
    for (const name of plan.kept) this.#lend(name, wanted.get(name));
    for (const [name, entry] of wanted) {
      if (!plan.restarted.includes(name) && !plan.started.includes(name)) continue;
      const failure = await this.#replace(name, entry);
      if (failure) failed.push(failure);
    }
    this.#entries = new Map(
      [...wanted].map(([name, entry]) => [name, this.#running.get(name)?.entry ?? entry]),
    );
    return failed;
  }

  /** Gives a plugin that goes on the projects that it has not looked at yet. */
  #lend(name: string, entry: PluginEntry | undefined): void {
    const kept = this.#running.get(name);
    if (!kept || !entry || kept.host.readsProjects) return;
    kept.host.projects = entry.projects;
    this.#running.set(name, { host: kept.host, entry: { ...kept.entry, projects: entry.projects } });
  }

  async #replace(name: string, entry: PluginEntry): Promise<FailedPlugin | undefined> {
    const before = this.#running.get(name)?.entry;
    await this.#stop([name]);
    try {
      await this.#startAlone(entry);
      return undefined;
    } catch (error) {
      this.#shared.log.error("a plugin does not start with its new settings", { plugin: name, error });
      const detail = redactText(messageOf(error));
      if (!before) return { name, detail, putBack: false };
      return await this.#putBack(before, { name, detail });
    }
  }

  async #putBack(entry: PluginEntry, failure: { name: string; detail: string }): Promise<FailedPlugin> {
    try {
      await this.#startAlone(entry);
      return { ...failure, putBack: true };
    } catch (error) {
      this.#shared.log.error("nor does it start with its old ones", { plugin: failure.name, error });
      const detail = `${failure.detail}; nor with its old settings: ${redactText(messageOf(error))}`;
      return { ...failure, detail, putBack: false };
    }
  }

  async #startAlone(entry: PluginEntry): Promise<void> {
    try {
      await this.#start([entry]);
    } catch (error) {
      await this.#stop([entry.plugin.name]);
      throw error;
    }
  }

  /** Who asks for a reload is not the one who does, from then on, all that the plugin does by itself. */
  #start(entries: readonly PluginEntry[]): Promise<void> {
    return detached(() => this.#startDetached(entries));
  }

  async #startDetached(entries: readonly PluginEntry[]): Promise<void> {
    const hosts: PluginHost[] = [];
    for (const entry of entries) {
      const { plugin, config, projects } = entry;
      const { name, migrations } = plugin;
      if (migrations) await this.#shared.storage.migrate(name, migrations);
      const host = new PluginHost(plugin, { config, projects, shared: this.#shared });
      this.#running.set(name, { entry, host }); // before its start: what a failing start acquired is given back too
      hosts.push(host);
      await host.start();
    }
    for (const phase of ["listen", "work", "http"] as const) hosts.forEach((host) => host.openDoors(phase));
  }

  /** Doors closed, signal aborted, work drained, then releases in reverse; who keeps the events goes last. */
  async #stop(names: readonly string[]): Promise<void> {
    const hosts = names.flatMap((name) => this.#running.get(name)?.host ?? []);
    for (const name of names) this.#running.delete(name);
    await Promise.all(hosts.map((host) => host.closeDoors()));
    await Promise.all(hosts.map((host) => host.drain()));
    const order = hosts.toReversed().sort((a, b) => Number(a.keepsEvents) - Number(b.keepsEvents));
    for (const host of order) await host.release();
  }
}

function byName(entries: readonly PluginEntry[]): ReadonlyMap<string, PluginEntry> {
  return new Map(entries.map((entry) => [entry.plugin.name, entry]));
}
