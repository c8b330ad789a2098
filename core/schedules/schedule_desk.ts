import type { z } from "zod";
import { newId } from "../clock.ts";
import { currentContext } from "../context.ts";
import { Problem } from "../errors.ts";
import { type Principal, seesProject } from "../http/principal.ts";
import { checkedInput } from "../jobs/checked_input.ts";
import {
  scheduleChanged,
  scheduleCreated,
  scheduleDeleted,
  scheduleDisabled,
  scheduleEnabled,
} from "./schedule_events.ts";
import { type newSchedule, nextRuns, type scheduleChange } from "./schedule_json.ts";
import type { ScheduleTrx } from "./schedule_store.ts";
import type { RunRow, ScheduleRow } from "./schedule_tables.ts";
import { Timing, type TimingRule } from "./timing.ts";
import { scheduleBlocked, trigger, type TriggerParts } from "./trigger_schedule.ts";

/** Schedules of one database. */
const maxSchedules = 1000;
/** Schedules that one is compared with. */
const maxCompared = 200;

interface Conflict {
  readonly id: string;
  readonly name: string;
  /** When they meet first; RFC 3339. */
  readonly at: string;
}

/** What people do with schedules; who may see a schedule is asked of the call we are in. */
export class ScheduleDesk {
  readonly #parts: TriggerParts;

  constructor(parts: TriggerParts) {
    this.#parts = parts;
  }

  /** Rejects with Problem 403, 409 where there are too many, 422 where job, input or timing make no sense. */
  async create(body: z.output<typeof newSchedule>): Promise<ScheduleRow> {
    const { store, clock, events } = this.#parts;
    const nowMs = clock.now();
    const { when, timezone, window } = body;
    const principal = currentContext()?.principal;
    requireProject(principal, body.project);
    const firstMs = firstRun({ when, timezone, window }, nowMs);
    const row: ScheduleRow = {
      id: newId(),
      name: body.name,
      project: body.project,
      job: body.job,
      input: this.#inputText(body.job, body.input),
      timing: JSON.stringify({ when, timezone, window }),
      priority: body.priority,
      missed: body.missed,
      overlap: body.overlap ? 1 : 0,
      enabled: body.enabled ? 1 : 0,
      next_ms: body.enabled ? firstMs : null,
      created_by: principal?.name ?? null,
      created_ms: nowMs,
      updated_ms: nowMs,
    };
    await store.db.transaction().execute(async (trx) => {
      if (await store.count(trx) >= maxSchedules) {
        throw new Problem(409, "too_many_schedules", {
          detail: `Cannot create "${row.name}": there are ${maxSchedules} schedules; delete some first`,
        });
      }
      await store.insert(trx, row);
      await events.postIn(trx, row, { event: scheduleCreated, data: {} });
    });
    return row;
  }

  /** Changes what is given. Rejects as `create` does, and with Problem 404. */
  async change(id: string, body: z.output<typeof scheduleChange>): Promise<ScheduleRow> {
    const { clock, events } = this.#parts;
    if (body.project !== undefined) requireProject(currentContext()?.principal, body.project);
    return await this.#update(id, async (trx, row) => {
      const nowMs = clock.now();
      const { when, timezone, window, name, job, project, priority, missed } = body;
      const rule = { ...JSON.parse(row.timing) as TimingRule, ...defined({ when, timezone, window }) };
      const isEnabled = body.enabled ?? row.enabled === 1;
      const isRetimed = when !== undefined || timezone !== undefined || window !== undefined;
      // What was due before is not made up for once the times have changed, or while it rested.
      const isFresh = isRetimed || (isEnabled && row.enabled === 0);
      const next_ms = isFresh ? firstRun(rule, nowMs) : row.next_ms;
      const next: ScheduleRow = {
        ...row,
        ...defined({ name, job, project, priority, missed }),
        ...("input" in body || job !== undefined
          ? { input: this.#inputText(job ?? row.job, "input" in body ? body.input : JSON.parse(row.input)) }
          : {}),
        timing: JSON.stringify(rule),
        overlap: (body.overlap ?? row.overlap === 1) ? 1 : 0,
        enabled: isEnabled ? 1 : 0,
        next_ms: isEnabled ? next_ms : null,
        updated_ms: nowMs,
      };
      await events.postIn(trx, next, { event: scheduleChanged, data: {} });
      return next;
    });
  }

  /** Lets it run, from now on. Rejects with Problem 404, and 422 where nothing comes any more. */
  async enable(id: string): Promise<ScheduleRow> {
    const { clock, events } = this.#parts;
    return await this.#update(id, async (trx, row) => {
      if (row.enabled === 1 && row.next_ms !== null) return row;
      const nowMs = clock.now();
      const next_ms = firstRun(JSON.parse(row.timing), nowMs);
      const next: ScheduleRow = { ...row, enabled: 1, next_ms, updated_ms: nowMs };
      await events.postIn(trx, next, { event: scheduleEnabled, data: {} });
      return next;
    });
  }

  /** Has it rest; what comes due meanwhile is not made up for. Rejects with Problem 404. */
  async disable(id: string): Promise<ScheduleRow> {
    const { clock, events } = this.#parts;
    return await this.#update(id, async (trx, row) => {
      if (row.enabled === 0) return row;
      const next: ScheduleRow = { ...row, enabled: 0, next_ms: null, updated_ms: clock.now() };
      await events.postIn(trx, next, { event: scheduleDisabled, data: {} });
      return next;
    });
  }

  /** Starts its job now, also while it is disabled. Rejects with Problem 404, and 409 while it runs or is blocked. */
  async run(id: string): Promise<RunRow> {
    const { store, clock, jobs } = this.#parts;
    return await store.db.transaction().execute(async (trx) => {
      const row = await this.#known(trx, id);
      if (!jobs.find(row.job)) throw scheduleBlocked(row);
      const occurrence = { planned_ms: clock.now(), reason: "manual" } as const;
      return (await trigger(trx, { row, occurrence, parts: this.#parts }))!;
    });
  }

  /** Forgets it; jobs that it has started go on. Rejects with Problem 404. */
  async delete(id: string): Promise<void> {
    const { store, events } = this.#parts;
    await store.db.transaction().execute(async (trx) => {
      const row = await this.#known(trx, id);
      await store.delete(trx, id);
      await events.postIn(trx, row, { event: scheduleDeleted, data: {} });
    });
  }

  /** The schedule, if there is one that the caller may see. Rejects with Problem 404. */
  async find(id: string): Promise<ScheduleRow> {
    return visible(await this.#parts.store.find(id), id);
  }

  /** Other schedules that run within a minute of one of its next runs; a warning, since that may be wanted. */
  async conflicts(row: ScheduleRow): Promise<Conflict[]> {
    const { store, clock } = this.#parts;
    const nowMs = clock.now();
    const own = nextRuns(row, nowMs);
    if (own.length === 0) return [];
    const others = await store.likeThis(row, maxCompared);
    return others.flatMap((other) => {
      const atMs = nextRuns(other, nowMs).find((ms) => own.some((one) => Math.abs(one - ms) <= 60_000));
      return atMs === undefined ? [] : [{ id: other.id, name: other.name, at: new Date(atMs).toISOString() }];
    });
  }

  async #update(
    id: string,
    change: (trx: ScheduleTrx, row: ScheduleRow) => Promise<ScheduleRow>,
  ): Promise<ScheduleRow> {
    const { store } = this.#parts;
    return await store.db.transaction().execute(async (trx) => {
      const before = await this.#known(trx, id);
      const { id: _, ...set } = await change(trx, before);
      await store.update(trx, { id, set });
      return { ...before, ...set };
    });
  }

  async #known(trx: ScheduleTrx, id: string): Promise<ScheduleRow> {
    return visible(await this.#parts.store.lock(trx, id), id);
  }

  #inputText(name: string, input: unknown): string {
    const job = this.#parts.jobs.find(name);
    if (job) return checkedInput(job, input ?? null);
    throw new Problem(422, "unknown_job", {
      detail: `Cannot schedule "${name}": no plugin of this agent does such jobs; see GET /api/jobs/names`,
    });
  }
}

function visible(row: ScheduleRow | undefined, id: string): ScheduleRow {
  if (row && seesProject(currentContext()?.principal, row.project)) return row;
  throw new Problem(404, "schedule_not_found", { detail: `There is no schedule with the id "${id}"` });
}

function requireProject(principal: Principal | undefined, project: string | null): void {
  if (seesProject(principal, project)) return;
  throw new Problem(403, "project_forbidden", {
    detail: project === null
      ? "This key is limited to projects: say which one with `project`"
      : `This key may not schedule for the project "${project}"`,
  });
}

function firstRun(rule: TimingRule, nowMs: number): number {
  const firstMs = new Timing(rule).next(nowMs);
  if (firstMs !== undefined) return firstMs;
  throw new Problem(422, "schedule_never_runs", {
    detail: "Cannot save the schedule: it would never run again; change `when` or `window`",
  });
}

function defined<Fields extends object>(
  fields: Fields,
): { [Name in keyof Fields]?: Exclude<Fields[Name], undefined> } {
  const given = Object.entries(fields).filter(([, value]) => value !== undefined);
  return Object.fromEntries(given) as { [Name in keyof Fields]?: Exclude<Fields[Name], undefined> };
}
