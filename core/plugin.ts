import type { OpenAPIHono } from "@hono/zod-openapi";
import type { Kysely, Transaction } from "kysely";
import type { z } from "zod";
import type { PluginBackup } from "./backup/plugin_backup.ts";
import type { Bus } from "./bus/bus.ts";
import type { Clock } from "./clock.ts";
import type { Envelope, Event, Journal, Published } from "./events.ts";
import type { Exec } from "./exec/exec.ts";
import type { Health } from "./health.ts";
import type { HttpEnv } from "./http/env.ts";
import type { Tickets } from "./http/tickets.ts";
import type { Enqueued, EnqueueOptions, Job, JobOptions, JobWork } from "./jobs/job.ts";
import type { Logger } from "./log.ts";
import type { PluginMetrics } from "./metrics.ts";
import type { GuardedFetch } from "./net/guarded_fetch.ts";
import type { Query } from "./queries.ts";
import type { ScheduleOptions } from "./schedule.ts";
import type { Migrations, Storage } from "./storage/storage.ts";

export type { PluginBackup } from "./backup/plugin_backup.ts";
export { defineJob, type Job, type JobOptions, type JobRun, PermanentFailure } from "./jobs/job.ts";
export type { Migration, Migrations } from "./storage/storage.ts";

/** The agent that a plugin runs in. */
export interface Node {
  /** `hub-` and twelve hex digits unless configured; one token of a subject. */
  readonly id: string;
  readonly name: string;
  readonly version: string;
  /** Absolute path; a plugin keeps files only in a folder of its own name below it. */
  readonly dataDir: string;
  readonly startedAt: string;
}

/** A project as `projects.yaml` lists it. */
export interface ProjectEntry {
  readonly slug: string;
  readonly name: string;
  readonly hub_url: string;
  readonly mesh_namespace: string;
  readonly tags: readonly string[];
  readonly allow_fanout: readonly string[];
}

/** A plugin: one folder, one `plugin.ts` that default-exports `definePlugin({...})`. */
export interface Plugin<Schema extends z.ZodType = z.ZodType, Tables = unknown> {
  /** = folder = key in the configuration; its tables are prefixed with it (`-` becomes `_`). */
  readonly name: string;
  readonly summary: string;
  /** A `z.strictObject`: every key described, and defaulted where possible. */
  readonly config: Schema;
  /** URL prefixes it owns, such as `/api/events`; no two plugins share one. */
  readonly prefixes: readonly string[];
  /** Names of the programs that it starts, such as `git`; `host.exec` starts no others. */
  readonly programs?: readonly string[];
  readonly migrations?: Migrations;
  /** What a backup has to know beyond its tables. */
  readonly backup?: PluginBackup;
  /** Declares what it does; touches nothing remote. No handler runs before every plugin has started. */
  start(host: Host<z.output<Schema>, Tables>): void | Promise<void>;
}

/** Types the plugin and erases it for the registry, which holds plugins of every shape. */
export function definePlugin<Schema extends z.ZodType, Tables>(plugin: Plugin<Schema, Tables>): Plugin {
  return plugin as unknown as Plugin;
}

export interface PublishOptions {
  /** Slug of the project it is about. */
  readonly project?: string | undefined;
  /** `hub.global.<type>` instead of `hub.<node_id>.<type>`: a fact about the whole federation. */
  readonly global?: boolean;
  /** Default: that of the call we are in, else a new one. */
  readonly correlationId?: string | undefined;
  /** The event becomes visible if, and only if, this transaction commits. */
  // deno-lint-ignore no-explicit-any -- a transaction over whichever tables the caller has
  readonly trx?: Transaction<any> | undefined;
}

export interface SubscribeOptions {
  /** Name under which the position is kept: at least once, redelivered until handled. Without: live only. */
  readonly durable?: string;
  /** Default `this-host`; `any-host` includes the global ones. */
  readonly from?: "any-host" | "this-host";
}

export interface AskOptions {
  /** Node to ask; default: this one. */
  readonly node?: string;
  /** Default 5000. */
  readonly timeoutMs?: number;
}

/** What the kernel lends to one plugin, and takes back in full when that plugin stops. */
export interface Host<Config = unknown, Tables = unknown> {
  /** The plugin's name. */
  readonly name: string;
  readonly node: Node;
  readonly config: Config;
  /** Who has looked at them is restarted when a reload finds others. */
  readonly projects: readonly ProjectEntry[];
  readonly log: Logger;
  readonly storage: Storage;
  readonly db: Kysely<Tables>;
  /** Routes under the plugin's prefixes. A route's OpenAPI `security` decides who may call it; default: a key with `read` for GET, `write` for the rest. */
  readonly http: OpenAPIHono<HttpEnv>;
  readonly tickets: Tickets;
  readonly metrics: PluginMetrics;
  /** The web's `fetch`, to public addresses and configured exceptions only; ends with the plugin. For every URL that comes from outside. */
  readonly fetch: GuardedFetch;
  /** Starts one of the programs that the plugin names, without a shell; ends with the plugin. */
  readonly exec: Exec;
  readonly clock: Clock;
  /** The bus itself, for what events and queries do not cover (presence, relays). Subscriptions made here end with the plugin. */
  readonly bus: Bus;
  /** Aborted when the plugin is told to stop. */
  readonly signal: AbortSignal;

  /** Publishes a fact; resolves when it is durable (with a journal) or handed to the bus. */
  publish<Data>(event: Event<Data>, data: Data, options?: PublishOptions): Promise<Published>;
  /** Handles events, one at a time. A throwing handler is logged and counted; with `durable` the event comes again. */
  subscribe<Data>(
    event: Event<Data>,
    handle: (data: Data, envelope: Envelope<Data>) => unknown,
    options?: SubscribeOptions,
  ): void;
  /** Rejects with Problem: 404 nobody answers, 422 bad question, 504 deadline passed, or whatever the answering side threw. */
  ask<Ask, Answer>(query: Query<Ask, Answer>, ask: Ask, options?: AskOptions): Promise<Answer>;
  answer<Ask, Answer>(query: Query<Ask, Answer>, handle: (ask: Ask) => Answer | Promise<Answer>): void;
  /** Offers the store of record through which every event goes; at most one plugin does. */
  keepEvents(journal: Journal): void;
  /**
   * Does the work of such jobs, on this agent, from the moment that every plugin has started. Work may begin more than
   * once (its agent can be lost in the middle), but never runs twice at once. What it returns is kept as the result.
   */
  job<Input, Given>(job: Job<Input, Given>, work: JobWork<Input>, options?: JobOptions): void;
  /**
   * Resolves when the job is on disk; some agent on this database that has a plugin for it runs it. Rejects with Problem:
   * 422 for input that does not fit or holds a secret, 413 for too much of it, 503 where nothing can be stored now.
   */
  enqueue<Input, Given>(job: Job<Input, Given>, input: Given, options?: EnqueueOptions): Promise<Enqueued>;
  /** Runs `work` on a cron pattern, by default in UTC, never twice at once: what becomes due meanwhile is skipped. */
  schedule(cron: string, work: () => unknown, options?: ScheduleOptions): void;
  /** Runs a loop until the signal is aborted; restarted with backoff when it throws. */
  run(name: string, loop: (signal: AbortSignal) => Promise<void>): void;
  /** Joins `/health`; `required` makes its `down` a 503. */
  check(name: string, probe: () => Promise<Health> | Health, options?: { required?: boolean }): void;
  /** Called at stop, in reverse order; call it right after acquiring. */
  onStop(release: () => unknown): void;
}
