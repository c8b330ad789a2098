import type { Clock } from "../clock.ts";
import { messageOf } from "../errors.ts";
import type { HealthChecks } from "../health.ts";
import type { Mountable } from "../http/mount.ts";
import { newApp } from "../http/new_app.ts";
import type { Jobs } from "../jobs/open_jobs.ts";
import type { JournalSlot } from "../journal_slot.ts";
import type { Logger } from "../log.ts";
import type { Publisher } from "../publisher.ts";
import { hearOthers } from "../storage/hear_others.ts";
import type { Storage } from "../storage/storage.ts";
import { supervise } from "../supervise.ts";
import { ScheduleDesk } from "./schedule_desk.ts";
import { ScheduleEvents } from "./schedule_events.ts";
import { addScheduleRoutes } from "./schedule_routes.ts";
import { ScheduleRunner } from "./schedule_runner.ts";
import { ScheduleStore } from "./schedule_store.ts";
import { scheduleMigrations } from "./schedule_tables.ts";

/** How soon the commits of other agents are looked into, in milliseconds: they may be many. */
const hintMs = 100;

export interface SchedulesOptions {
  readonly nodeId: string;
  readonly storage: Storage;
  readonly publisher: Publisher;
  readonly journal: JournalSlot;
  readonly jobs: Jobs;
  readonly health: HealthChecks;
  readonly mount: (part: Mountable) => () => Promise<void>;
  readonly clock: Clock;
  readonly log: Logger;
}

/** The users' schedules of one agent. */
export interface Schedules {
  /** Begins to run them; called once all plugins have started. */
  start(): void;
  /** Starts nothing any more; called before the plugins stop. Resolves when nothing is in hand. */
  stop(): Promise<void>;
  /** Ends everything. */
  close(): Promise<void>;
}

/** Brings the tables up to date and serves `/api/schedules`; nothing runs before `start`. */
export async function openSchedules(options: SchedulesOptions): Promise<Schedules> {
  const { storage, jobs, clock, nodeId, log } = options;
  await storage.migrate("schedules", scheduleMigrations);
  const store = new ScheduleStore(storage);
  const events = new ScheduleEvents({ ...options, onChange: () => runner.poke() });
  const parts = { store, events, jobs, clock, nodeId };
  const runner = new ScheduleRunner({ parts, log });
  const app = newApp();
  addScheduleRoutes(app, { desk: new ScheduleDesk(parts), store, jobs, clock });
  const unmount = options.mount({ name: "schedules", prefixes: ["/api/schedules"], app });
  const removeCheck = options.health.add(
    "schedules",
    () =>
      runner.problem === undefined
        ? { status: "up" }
        : { status: "degraded", message: `schedules wait: ${messageOf(runner.problem)}` },
  );
  const stopHearing = hearOthers(storage, { hintMs, look: () => runner.poke() });
  const closing = new AbortController();
  let loop: Promise<void> | undefined;
  const stop = async () => {
    closing.abort();
    await loop;
  };
  return {
    start: () => {
      const { signal } = closing;
      loop = supervise((signal) => runner.run(signal), { name: "schedules", signal, log, onError: () => {} });
    },
    stop,
    close: async () => {
      removeCheck();
      stopHearing();
      await stop();
      await unmount();
    },
  };
}
