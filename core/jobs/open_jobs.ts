import type { OpenAPIHono } from "@hono/zod-openapi";
import type { Subscription } from "../bus/bus.ts";
import type { Clock } from "../clock.ts";
import { messageOf } from "../errors.ts";
import type { Health, HealthChecks } from "../health.ts";
import type { HttpEnv } from "../http/env.ts";
import { OpenStreams } from "../http/open_streams.ts";
import type { Mountable } from "../http/mount.ts";
import { newApp } from "../http/new_app.ts";
import type { Tickets } from "../http/tickets.ts";
import type { JournalSlot } from "../journal_slot.ts";
import type { Logger } from "../log.ts";
import type { PluginMetrics } from "../metrics.ts";
import type { Publisher } from "../publisher.ts";
import { hearOthers } from "../storage/hear_others.ts";
import type { Storage } from "../storage/storage.ts";
import { pause, supervise } from "../supervise.ts";
import type { ActiveRun } from "./active_run.ts";
import { ChangeScout } from "./change_scout.ts";
import type { Job } from "./job.ts";
import { JobBoard } from "./job_board.ts";
import { JobEvents } from "./job_events.ts";
import { declareJobMetrics } from "./job_metrics.ts";
import { JobQueue } from "./job_queue.ts";
import { JobReader } from "./job_reader.ts";
import { addJobLists, addJobRoutes } from "./job_routes.ts";
import { JobRunner } from "./job_runner.ts";
import type { JobSettings } from "./job_settings.ts";
import { JobStore } from "./job_store.ts";
import { addJobStreams } from "./job_stream_routes.ts";
import { jobMigrations, type JobTables } from "./job_tables.ts";
import { LeaseKeeper } from "./lease_keeper.ts";
import { type Declaration, Registrations } from "./registrations.ts";
import { SharedTransaction } from "./shared_transaction.ts";

/** Longest time without a lease, as a part of it, after which a run believes it lost. */
const leaseEndPart = 0.8;
/** How soon the commits of other agents are looked into, in milliseconds: they may be many. */
const hintMs = 100;
/** Silence after which a stream sends a sign of life, in milliseconds. */
const keepaliveMs = 15_000;
/** How often old jobs are removed, in milliseconds, and how many at once. */
const pruneEveryMs = 60_000;
const pruneSize = 500;

export interface JobsOptions {
  readonly settings: JobSettings;
  readonly nodeId: string;
  readonly storage: Storage;
  readonly publisher: Publisher;
  readonly journal: JournalSlot;
  readonly health: HealthChecks;
  readonly metrics: PluginMetrics;
  readonly mount: (part: Mountable) => () => Promise<void>;
  readonly tickets: Tickets;
  readonly clock: Clock;
  readonly log: Logger;
  /** 0 to 1, for the spread of retries. */
  readonly random?: () => number;
}

/** A job that a plugin has declared. */
export interface DeclaredJob {
  /** Runs what is due, from now on. */
  open(): Subscription;
  /** Takes the declaration back. */
  release(): void;
}

/** The jobs of one agent. */
export interface Jobs {
  /** Throws where another plugin has a job of this name. */
  declare<Input, Given>(declaration: Declaration<Input, Given>): DeclaredJob;
  readonly enqueue: JobQueue["enqueue"];
  /** The job of this name, where a plugin of this agent does it. */
  find(name: string): Job<unknown> | undefined;
  /** Begins to run jobs; called once all plugins have started. */
  start(): Promise<void>;
  /** The agent is about to stop, and with it every run. */
  ending(): void;
  /** Ends everything; no plugin runs any more. */
  close(): Promise<void>;
}

/** Brings the tables up to date and serves `/api/jobs`; nothing runs before `start`. */
export async function openJobs(options: JobsOptions): Promise<Jobs> {
  await options.storage.migrate("jobs", jobMigrations);
  const parts = assemble(options);
  const { board, runner, keeper, scout, streams, writes, enqueues, store, queue, registrations } = parts;
  const { settings, storage, clock, log } = options;
  board.listen((row) => runner.noticed(row));
  board.listen((row) => scout.noticed(row));
  const unmount = options.mount({ name: "jobs", prefixes: ["/api/jobs"], app: routes(parts) });
  const removeCheck = options.health.add("jobs", () => healthOf(runner.problem ?? keeper.problem));
  const look = () => {
    runner.poke();
    scout.look();
    keeper.check().catch((error) => log.debug("running jobs could not be looked at", { error }));
  };
  const stopHearing = hearOthers(storage, { hintMs, look });
  const closing = parts.closing;
  const loops: Promise<void>[] = [];
  const loop = (name: string, work: (signal: AbortSignal) => Promise<void>) => {
    loops.push(supervise(work, { name, signal: closing.signal, log, onError: () => {} }));
  };
  return {
    declare: (declaration) => {
      const registration = registrations.add(declaration);
      return {
        open: () => runner.open(registration),
        release: () => registrations.remove(registration),
      };
    },
    enqueue: (job, input, rest) => queue.enqueue(job, input, rest),
    find: (name) => registrations.find(name),
    start: async () => {
      await keeper.takeUpLeftovers();
      loop("jobs", (signal) => runner.run(signal));
      loop("job leases", (signal) => keeper.run(signal));
      loop("job history", (signal) => prune(store, { settings, clock, signal }));
    },
    ending: () => runner.ending(),
    close: async () => {
      removeCheck();
      stopHearing();
      streams.stop();
      closing.abort();
      await unmount();
      await Promise.all(loops);
      await scout.stop();
      await Promise.all([writes.drain(), enqueues.drain()]);
    },
  };
}

/** The parts of the jobs, made and known to each other. */
function assemble(options: JobsOptions) {
  const { settings, nodeId, storage, metrics, clock, log, tickets, random = Math.random } = options;
  const isShared = storage.kind === "postgres";
  const store = new JobStore(storage);
  const reader = new JobReader(storage);
  const writes = new SharedTransaction<JobTables>(store.db);
  // A lane of their own: nobody who enqueues waits for the runs of others where the database can do both at once.
  const enqueues = isShared ? new SharedTransaction<JobTables>(store.db) : writes;
  const events = new JobEvents(options);
  const board = new JobBoard({ storage, events, log });
  const runs = new Map<string, ActiveRun>();
  const closing = new AbortController();
  const scout = new ChangeScout({ reader, board, log });
  const onWatched = (isWatched: boolean) => isShared && scout.watch(isWatched);
  const streams = new OpenStreams({ maxStreams: settings.max_streams, keepaliveMs, onWatched });
  const told = declareJobMetrics(metrics, { reader, clock, streams: () => streams.count });
  const leaseMs = settings.lease;
  const leaseEndMs = isShared ? leaseMs * leaseEndPart : Infinity;
  const running = { store, reader, writes, board, clock, random, leaseEndMs, closing: closing.signal };
  const common = { store, reader, writes, board, events, clock, log, leaseMs, nodeId, runs };
  return {
    ...common,
    enqueues,
    closing,
    scout,
    streams,
    tickets,
    runner: new JobRunner({
      ...common,
      parts: { ...running, onEnded: told.ended },
      maxRunning: settings.max_running,
    }),
    keeper: new LeaseKeeper({ ...common, kind: storage.kind }),
    queue: new JobQueue({ ...common, enqueues, onEnqueued: told.enqueued }),
    registrations: new Registrations(),
  };
}

function routes(
  parts: Parameters<typeof addJobRoutes>[1] & Parameters<typeof addJobStreams>[1],
): OpenAPIHono<HttpEnv> {
  const app = newApp();
  // In this order: `/api/jobs/{id}` would take the others for ids.
  addJobLists(app, parts);
  addJobStreams(app, parts);
  addJobRoutes(app, parts);
  return app;
}

async function prune(
  store: JobStore,
  { settings, clock, signal }: { settings: JobSettings; clock: Clock; signal: AbortSignal },
): Promise<void> {
  while (!signal.aborted) {
    const beforeMs = clock.now() - settings.history;
    const removed = await store.prune({ beforeMs, limit: pruneSize });
    await pause(removed === pruneSize ? 50 : pruneEveryMs, signal);
  }
}

function healthOf(problem: unknown): Health {
  if (problem === undefined) return { status: "up" };
  return { status: "degraded", message: `jobs wait: ${messageOf(problem)}` };
}
