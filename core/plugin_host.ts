import type { OpenAPIHono } from "@hono/zod-openapi";
import type { Bus, Subscription } from "./bus/bus.ts";
import { scopedBus } from "./bus/scoped_bus.ts";
import type { Clock } from "./clock.ts";
import type { Exec } from "./exec/exec.ts";
import type { Programs } from "./exec/programs.ts";
import type { HealthChecks } from "./health.ts";
import type { HttpEnv } from "./http/env.ts";
import type { Jobs } from "./jobs/open_jobs.ts";
import type { Declaration } from "./jobs/registrations.ts";
import type { JournalSlot } from "./journal_slot.ts";
import type { Tickets } from "./http/tickets.ts";
import type { Logger } from "./log.ts";
import type { PluginMetrics } from "./metrics.ts";
import type { GuardedFetch } from "./net/guarded_fetch.ts";
import type { Host, Node, Plugin, ProjectEntry } from "./plugin.ts";
import type { Publisher } from "./publisher.ts";
import type { QueryDesk } from "./query_desk.ts";
import { schedule } from "./schedule.ts";
import type { Storage } from "./storage/storage.ts";
import { subscribe } from "./subscribe.ts";
import { supervise } from "./supervise.ts";

/** How long a plugin's loops and handlers get to finish once told to stop. */
const drainMs = 2500;

/** What the kernel shares among all plugins. */
export interface Shared {
  readonly node: Node;
  readonly log: Logger;
  readonly clock: Clock;
  readonly storage: Storage;
  readonly bus: Bus;
  readonly publisher: Publisher;
  readonly journal: JournalSlot;
  readonly queries: QueryDesk;
  readonly jobs: Jobs;
  readonly health: HealthChecks;
  readonly tickets: Tickets;
  readonly newApp: () => OpenAPIHono<HttpEnv>;
  readonly mount: (
    plugin: { name: string; prefixes: readonly string[]; app: OpenAPIHono<HttpEnv> },
  ) => () => Promise<void>;
  readonly pluginMetrics: (name: string) => PluginMetrics & { release(): void };
  readonly fetchFor: (plugin: string, signal: AbortSignal) => GuardedFetch;
  readonly programs: Programs;
  readonly onHandlerError: (plugin: string) => void;
}

/** Doors open phase by phase over all plugins: nobody's loop publishes before everybody listens. */
const phases = ["listen", "work", "http"] as const;
/** One step of opening; see `phases`. */
export type Phase = typeof phases[number];

interface Door {
  readonly phase: Phase;
  readonly open: () => Subscription;
}

/** One plugin's life: what it declared, what is open, and how all of it is taken back. */
export class PluginHost {
  readonly name: string;
  readonly host: Host;
  /** What it is lent; to be replaced only as long as `readsProjects` is false. */
  projects: readonly ProjectEntry[];
  readonly #shared: Shared;
  readonly #plugin: Plugin;
  readonly #abort = new AbortController();
  readonly #metrics: PluginMetrics & { release(): void };
  readonly #app: OpenAPIHono<HttpEnv>;
  readonly #log: Logger;
  #doors: Door[] = [];
  #open: Subscription[] = [];
  readonly #opened = new Set<Phase>();
  readonly #loops = new Set<Promise<void>>();
  readonly #releases: (() => unknown)[] = [];
  #keepsEvents = false;
  #readsProjects = false;

  constructor(
    plugin: Plugin,
    { config, projects, shared }: { config: unknown; projects: readonly ProjectEntry[]; shared: Shared },
  ) {
    this.name = plugin.name;
    this.projects = projects;
    this.#plugin = plugin;
    this.#shared = shared;
    this.#log = shared.log.child(plugin.name);
    this.#metrics = shared.pluginMetrics(plugin.name);
    this.#app = shared.newApp();
    this.host = this.#createHost(config);
    this.#door("http", () => {
      const { name, prefixes } = plugin;
      return { stop: shared.mount({ name, prefixes, app: this.#app }) };
    });
  }

  /** Whether this plugin is the store of record, which has to outlive the others. */
  get keepsEvents(): boolean {
    return this.#keepsEvents;
  }

  /** Whether it has looked at the projects, and may have built on them. */
  get readsProjects(): boolean {
    return this.#readsProjects;
  }

  /** Lets the plugin declare. After a rejection, `release` still takes back what it acquired. */
  async start(): Promise<void> {
    await this.#plugin.start(this.host);
  }

  /** `listen`: subscriptions and answers; `work`: schedules and loops; `http`: takes requests. */
  openDoors(phase: Phase): void {
    this.#opened.add(phase);
    for (const door of this.#doors.filter((each) => each.phase === phase)) this.#open.push(door.open());
    this.#doors = this.#doors.filter((each) => each.phase !== phase);
  }

  /** Takes nothing new, and waits (bounded) for what is in hand. */
  async closeDoors(): Promise<void> {
    this.#opened.clear();
    this.#doors = [];
    await this.#bounded("handlers", this.#open.splice(0).map((door) => door.stop()));
  }

  /** Aborts the signal and waits (bounded) for the loops. */
  async drain(): Promise<void> {
    this.#abort.abort(new Error(`The plugin "${this.name}" is stopping`));
    await this.#bounded("loops", [...this.#loops]);
  }

  /** Runs every `onStop` in reverse, all of them even when one throws, and takes metrics back. */
  async release(): Promise<void> {
    for (const release of this.#releases.splice(0).reverse()) {
      await this.#bounded("a release", [Promise.resolve().then(release)]);
    }
    this.#metrics.release();
  }

  async #bounded(what: string, work: Promise<unknown>[]): Promise<void> {
    let timer: ReturnType<typeof setTimeout> | undefined;
    const late = new Promise<"late">((resolve) => timer = setTimeout(() => resolve("late"), drainMs));
    const done = Promise.allSettled(work).then((results) => {
      for (const result of results) {
        if (result.status === "rejected") {
          this.#log.error(`${what} did not stop cleanly`, { error: result.reason });
        }
      }
    });
    if (await Promise.race([done, late]) === "late") {
      this.#log.warn(`${what} did not finish in time and were left behind`, { waited_ms: drainMs });
    }
    clearTimeout(timer);
  }

  #door(phase: Phase, open: () => Subscription): void {
    if (this.#opened.has(phase)) this.#open.push(open());
    else this.#doors.push({ phase, open });
  }

  #failed(what: string, error: unknown): void {
    this.#shared.onHandlerError(this.name);
    this.#log.error(`${what} failed`, { error });
  }

  #lendProjects(): readonly ProjectEntry[] {
    this.#readsProjects = true;
    return this.projects;
  }

  #createHost(config: unknown): Host {
    const { node, clock, storage, tickets, publisher, queries, health } = this.#shared;
    const onStop = (release: () => unknown) => void this.#releases.push(release);
    const bus = scopedBus(this.#shared.bus, (open) => {
      if (this.#abort.signal.aborted) {
        throw new Error(`Cannot subscribe: the plugin "${this.name}" is stopping`);
      }
      const subscription = open();
      const tracked = {
        stop: () => {
          this.#open = this.#open.filter((each) => each !== tracked);
          return subscription.stop();
        },
      };
      this.#open.push(tracked);
      return tracked;
    });
    const lendProjects = () => this.#lendProjects();
    return {
      name: this.name,
      node,
      config,
      get projects() {
        return lendProjects();
      },
      log: this.#log,
      storage,
      db: storage.tables(),
      http: this.#app,
      tickets,
      metrics: this.#metrics,
      fetch: this.#shared.fetchFor(this.name, this.#abort.signal),
      exec: this.#startPrograms(),
      clock,
      bus,
      signal: this.#abort.signal,
      publish: (event, data, options) => publisher.publish(event, data, { ...options, service: this.name }),
      subscribe: (event, handle, options) =>
        this.#door("listen", () =>
          subscribe(event, handle, {
            ...options,
            plugin: this.name,
            nodeId: node.id,
            bus: this.#shared.bus,
            journal: this.#shared.journal,
            onError: (error) => this.#failed(`handling "${event.type}"`, error),
          })),
      ask: (query, ask, options) => queries.ask(query, ask, options),
      answer: (query, handle) => this.#door("listen", () => queries.answer(query, handle)),
      keepEvents: (journal) => {
        onStop(this.#shared.journal.keep(journal));
        this.#keepsEvents = true;
      },
      job: (job, work, options) =>
        this.#declareJob({ job, work, plugin: this.name, log: this.#log, options }),
      enqueue: (job, input, options) => this.#shared.jobs.enqueue(job, input, options),
      schedule: (cron, work, options) => {
        const onError = (error: unknown) => this.#failed(`schedule "${cron}"`, error);
        const start = schedule(cron, { ...options, work, onError, clock });
        this.#door("work", () => {
          const stop = start();
          return { stop: () => Promise.resolve(stop()) };
        });
      },
      run: (name, loop) => this.#door("work", () => this.#startLoop(name, loop)),
      check: (name, probe, options) => onStop(health.add(name, probe, options)),
      onStop,
    };
  }

  /** Programs end when the plugin is told to stop; what is left when all else has been released is killed. */
  #startPrograms(): Exec {
    const { exec, close } = this.#shared.programs.forPlugin({
      name: this.name,
      programs: this.#plugin.programs ?? [],
      signal: this.#abort.signal,
      log: this.#log,
    });
    this.#releases.push(close);
    return exec;
  }

  #declareJob<Input, Given>(declaration: Declaration<Input, Given>): void {
    const declared = this.#shared.jobs.declare(declaration);
    this.#releases.push(() => declared.release());
    this.#door("work", () => declared.open());
  }

  #startLoop(name: string, loop: (signal: AbortSignal) => Promise<void>): Subscription {
    const onError = () => this.#shared.onHandlerError(this.name);
    const running = supervise(loop, { name, signal: this.#abort.signal, log: this.#log, onError })
      .finally(() => this.#loops.delete(running));
    this.#loops.add(running);
    return { stop: () => Promise.resolve() }; // loops end with the signal, after the doors are closed
  }
}
