import process from "node:process";
import type { Bus } from "./bus/bus.ts";
import { openBus } from "./bus/open_bus.ts";
import { ChangeQueue } from "./change_queue.ts";
import { type Clock, systemClock, timestamp } from "./clock.ts";
import type { Configuration } from "./config/load_config.ts";
import type { ReloadPlan } from "./config/reload_plan.ts";
import { Programs } from "./exec/programs.ts";
import { HealthChecks } from "./health.ts";
import { type HttpServer, openHttp } from "./http/http_server.ts";
import { reloadRoutes } from "./http/reload_routes.ts";
import { openJobs } from "./jobs/open_jobs.ts";
import { JournalSlot } from "./journal_slot.ts";
import { declareKernelMetrics } from "./kernel_metrics.ts";
import type { Logger } from "./log.ts";
import { Metrics } from "./metrics.ts";
import { OutgoingRequests } from "./net/outgoing_requests.ts";
import { identify } from "./node.ts";
import { lockDataDir } from "./node_lock.ts";
import type { Node } from "./plugin.ts";
import type { Shared } from "./plugin_host.ts";
import { PluginSet } from "./plugin_set.ts";
import { Publisher } from "./publisher.ts";
import { QueryDesk } from "./query_desk.ts";
import { pluginEntries, Reload, type ReloadResult } from "./reload.ts";
import { openSchedules } from "./schedules/open_schedules.ts";
import { openStorage } from "./storage/open_storage.ts";
import type { Storage } from "./storage/storage.ts";

export interface KernelOptions {
  readonly configuration: Configuration;
  readonly log: Logger;
  readonly clock?: Clock;
  /** Reads the configuration anew, for a reload. Default: it never changes. */
  readonly readConfiguration?: () => Promise<Configuration>;
}

/** A running agent. */
export interface Kernel {
  readonly node: Node;
  /** Where HTTP answers, such as `http://127.0.0.1:9000`. */
  readonly url: string;
  /** File that holds the admin key of this host. */
  readonly adminKeyFile: string;
  /** Drains and stops everything, in the reverse order of its start. Safe to call twice. */
  stop(): Promise<void>;
  /** Stops one plugin while the others keep serving. Rejects where it does not run. */
  stopPlugin(name: string): Promise<void>;
  /** Starts one configured plugin that is stopped. */
  startPlugin(name: string): Promise<void>;
  /** What a reload would do now. Rejects with ConfigurationError on a faulty file. */
  plan(): Promise<ReloadPlan>;
  /** Reads the configuration and changes what has changed in it; on a faulty file nothing: ConfigurationError. */
  reload(): Promise<ReloadResult>;
}

/**
 * Boots an agent: storage and bus, migrations, every plugin's `start`, then the doors, HTTP last.
 * Rejects with ConfigurationError for what the operator has to mend; whatever was opened is closed again first.
 */
export async function startKernel(options: KernelOptions): Promise<Kernel> {
  await using opened = new AsyncDisposableStack();
  const { configuration, log } = options;
  const { shared, http } = await openShared(options, opened);
  const { node: { id: nodeId } } = shared;
  const schedules = await openSchedules({ ...shared, nodeId, log: log.child("schedules") });
  opened.defer(() => schedules.close());
  const plugins = new PluginSet(pluginEntries(configuration), shared);
  opened.defer(() => plugins.stopAll());
  const changes = new ChangeQueue();
  const reload = new Reload({
    configuration,
    readConfiguration: options.readConfiguration ?? (() => Promise.resolve(configuration)),
    plugins,
    publisher: shared.publisher,
    log: log.child("reload"),
  });
  const reloadable = {
    plan: () => changes.add(() => reload.plan()),
    reload: () => changes.add(() => reload.apply()),
  };
  http.mount({ name: "admin", prefixes: ["/api/admin"], app: reloadRoutes(reloadable) });
  await plugins.startAll();
  await shared.jobs.start();
  schedules.start();
  opened.defer(() => schedules.stop());
  opened.defer(() => {
    http.stopping();
    shared.jobs.ending();
  });
  const { url } = await http.listen();
  log.info("started", { url, node_id: shared.node.id, plugins: [...plugins.running.keys()] });

  const resources = opened.move();
  let stopping: Promise<void> | undefined;
  return {
    node: shared.node,
    url,
    adminKeyFile: http.adminKeyFile,
    stop: () =>
      stopping ??= changes.end().then(() => resources.disposeAsync()).then(() => log.info("stopped")),
    stopPlugin: (name) => changes.add(() => plugins.stopOne(name)),
    startPlugin: (name) => changes.add(() => plugins.startOne(name)),
    ...reloadable,
  };
}

/** Opens what all plugins share, and puts the way back of each on `opened`. */
async function openShared(
  { configuration, log, clock = systemClock }: KernelOptions,
  opened: AsyncDisposableStack,
): Promise<{ shared: Shared; http: HttpServer }> {
  opened.use(await lockDataDir(configuration.node.dataDir));
  const node: Node = { ...await identify(configuration.node), startedAt: timestamp(clock) };
  const storage = await openStorage(configuration.storage, {
    dataDir: node.dataDir,
    warn: (message, properties) => log.child("storage").warn(message, properties),
  });
  opened.defer(() => storage.close());
  const metrics = new Metrics();
  opened.defer(() => metrics.close());
  const health = new HealthChecks();
  const plainBus = await openBus(configuration.bus, {
    log: log.child("bus"),
    clientName: node.id,
    clock,
    onHandlerError: (error, subject) => log.child("bus").error("a handler failed", { subject, error }),
  });
  opened.defer(() => plainBus.close());
  const kernelMetrics = declareKernelMetrics(metrics, { bus: plainBus, storage, health });
  const { bus } = kernelMetrics;
  addChecks(health, { bus, storage });
  const http = await openHttp({
    settings: configuration.http,
    node,
    storage,
    health,
    busStatus: () => bus.status(),
    requestStarted: kernelMetrics.requestStarted,
    observe: kernelMetrics.observeHttp,
    accessLog: configuration.log.level === "debug",
    log: log.child("http"),
    clock,
  });
  opened.defer(() => http.close());
  const journal = new JournalSlot();
  const outgoing = new OutgoingRequests({
    settings: configuration.fetch,
    version: node.version,
    log: log.child("fetch"),
    observer: kernelMetrics,
    clock,
  });
  opened.defer(() => outgoing.close());
  const publisher = new Publisher({ nodeId: node.id, bus, clock, journal });
  const jobs = await openJobs({
    settings: configuration.jobs,
    nodeId: node.id,
    storage,
    publisher,
    journal,
    health,
    metrics: metrics.forKernel(),
    mount: (part) => http.mount(part),
    tickets: http.tickets,
    clock,
    log: log.child("jobs"),
  });
  opened.defer(() => jobs.close());
  const shared: Shared = {
    node,
    log,
    clock,
    storage,
    bus,
    health,
    journal,
    publisher,
    jobs,
    queries: new QueryDesk({ nodeId: node.id, bus, log: log.child("queries") }),
    tickets: http.tickets,
    newApp: () => http.newApp(),
    mount: (plugin) => http.mount(plugin),
    pluginMetrics: (name) => metrics.forPlugin(name),
    fetchFor: (plugin, signal) => outgoing.forPlugin(plugin, signal),
    programs: new Programs({ settings: configuration.exec, env: process.env }),
    onHandlerError: kernelMetrics.handlerFailed,
  };
  return { shared, http };
}

function addChecks(health: HealthChecks, { bus, storage }: { bus: Bus; storage: Storage }): void {
  health.add("storage", async () => {
    await storage.probe();
    return { status: "up" };
  }, { required: true });
  health.add("bus", async () => {
    const { connected, problem } = bus.status();
    if (!connected) return { status: "down", message: problem ?? "not connected; trying again" };
    await bus.probe(1500);
    return problem ? { status: "degraded", message: problem } : { status: "up" };
  });
}
