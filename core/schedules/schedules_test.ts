import { expect } from "expect";
import { z } from "zod";
import { type JobKernel, startJobKernel, testJobs } from "../../tests/support/job_kernel.ts";
import { type ShiftedClock, shiftedClock } from "../../tests/support/shifted_clock.ts";
import { waitFor } from "../../tests/support/wait_for.ts";
import { defineJob, PermanentFailure } from "../jobs/job.ts";
import type { ScheduleTables } from "./schedule_tables.ts";

const add = defineJob("test.add", z.strictObject({ left: z.int() }));
const long = defineJob("test.long", z.unknown());

/** `test.add` fails below zero; `test.long` runs until it is told to end. */
const declare: Parameters<typeof startJobKernel>[0] = (host) => {
  host.job(add, ({ left }) => {
    if (left < 0) throw new PermanentFailure("no");
    return left;
  }, { concurrency: 200 });
  host.job(long, (_input, run) => new Promise((resolve) => run.signal.addEventListener("abort", resolve)));
};

const minutely = { kind: "cron", pattern: "* * * * *" };
const base = { name: "sum", job: "test.add", input: { left: 1 }, when: minutely };

// deno-lint-ignore no-explicit-any -- answers of any shape, which the tests look into
type Json = any;

async function send(kernel: JobKernel, path: string, body: unknown, method = "POST"): Promise<Json> {
  const answer = await kernel.fetch(path, {
    method,
    headers: { "content-type": "application/json" },
    body: JSON.stringify(body),
  });
  return { status: answer.status, ...await answer.json() };
}

const create = (kernel: JobKernel, body: unknown = {}): Promise<Json> =>
  send(kernel, "/api/schedules", { ...base, ...body as object });

async function get(kernel: JobKernel, path: string): Promise<Json> {
  return await (await kernel.fetch(path)).json();
}

/** The schedule, once it has so many runs, and none of them is under way. */
const ran = (kernel: JobKernel, id: string, count: number): Promise<Json> =>
  waitFor(async () => {
    const schedule = await get(kernel, `/api/schedules/${id}`);
    const isEnded = schedule.runs.every(({ state }: Json) => !["pending", "running"].includes(state));
    return schedule.runs.length >= count && isEnded && schedule;
  }, { what: `${count} runs` });

async function news(kernel: JobKernel): Promise<Json[]> {
  return (await get(kernel, "/api/events?type=schedule.*&order=asc&limit=1000")).items;
}

testJobs("a schedule runs when it is due, and succeeds when its job does", async (place) => {
  const clock = shiftedClock("2026-03-28T23:59:58.500Z");
  await using kernel = await startJobKernel(declare, { ...place, clock });
  const made = await create(kernel, { project: "demo", priority: 7, timezone: "Europe/Berlin" });
  expect(made).toMatchObject({
    status: 201,
    state: "active",
    blocked_reason: null,
    missed: "skip",
    overlap: false,
    runs: [],
    conflicts: [],
    success_rate: null,
    next_runs: ["2026-03-29T00:00:00.000Z", "2026-03-29T00:01:00.000Z"].concat(
      ["02", "03", "04"].map((minute) => `2026-03-29T00:${minute}:00.000Z`),
    ),
  });
  const done = await ran(kernel, made.id, 1);
  expect(done).toMatchObject({
    runs: [{ state: "completed", reason: "due", planned_at: "2026-03-29T00:00:00.000Z" }],
    success_rate: 1,
  });
  const job = await kernel.job(done.runs[0].job_id);
  expect(job).toMatchObject({ name: "test.add", project: "demo", priority: 7, result: 1, created_by: null });
  const events = await news(kernel);
  expect(events.map(({ type }: Json) => type)).toEqual(["schedule.created", "schedule.triggered"]);
  expect(events[1]).toMatchObject({
    payload: { schedule_id: made.id, job_id: job.id, reason: "due", planned_at: "2026-03-29T00:00:00.000Z" },
    correlation_id: job.correlation_id,
    project: "demo",
  });
});

testJobs("a run whose job fails has failed", async (place) => {
  await using kernel = await startJobKernel(declare, place);
  const { id } = await create(kernel, { input: { left: -1 }, enabled: false });
  await kernel.post(`/api/schedules/${id}/run`);
  expect(await ran(kernel, id, 1)).toMatchObject({ runs: [{ state: "failed" }], success_rate: 0 });
});

testJobs("how a run ended is known for longer than its job", async (place) => {
  const dataDir = await Deno.makeTempDir();
  const options = { ...place, dataDir };
  let id: string;
  {
    await using kernel = await startJobKernel(declare, options);
    ({ id } = await create(kernel, { enabled: false }));
    await kernel.post(`/api/schedules/${id}/run`);
    await ran(kernel, id, 1);
  }
  {
    await using kernel = await startJobKernel(declare, options);
    const { runs: [{ job_id }] } = await get(kernel, `/api/schedules/${id}`);
    await waitFor(async () => {
      const row = await kernel.host.storage.tables<ScheduleTables>().selectFrom("schedules_run")
        .select("outcome").executeTakeFirstOrThrow();
      return row.outcome === "completed";
    }, { what: "the outcome to be kept" });
    await (await kernel.fetch(`/api/jobs/${job_id}`, { method: "DELETE" })).body?.cancel();
    expect(await kernel.job(job_id)).toMatchObject({ status: 404 });
    expect(await get(kernel, `/api/schedules/${id}`)).toMatchObject({
      runs: [{ state: "completed", job_id }],
      success_rate: 1,
    });
  }
  await Deno.remove(dataDir, { recursive: true });
});

testJobs("a plugin that starts anew finds what was due meanwhile", async (place) => {
  const clock = shiftedClock("2026-05-01T10:00:59.500Z");
  await using kernel = await startJobKernel(declare, { ...place, clock });
  const { id } = await create(kernel);
  await kernel.stopPlugin("worker");
  await waitFor(() => clock.now() > Date.parse("2026-05-01T10:01:00.300Z"), { what: "the next minute" });
  expect(await get(kernel, `/api/schedules/${id}`)).toMatchObject({ state: "blocked", runs: [] });
  await kernel.startPlugin("worker");
  expect((await ran(kernel, id, 1)).runs).toMatchObject([{ planned_at: "2026-05-01T10:01:00.000Z" }]);
});

testJobs("once runs once, and is done", async (place) => {
  const clock = shiftedClock("2026-05-01T09:59:59Z");
  await using kernel = await startJobKernel(declare, { ...place, clock });
  const when = { kind: "once", at: "2026-05-01T12:00" };
  const { id } = await create(kernel, { when, timezone: "Europe/Berlin" });
  await ran(kernel, id, 1);
  clock.set("2026-05-01T10:30:00Z");
  await create(kernel); // a change wakes whoever waits
  expect(await get(kernel, `/api/schedules/${id}`)).toMatchObject({ state: "done", next_runs: [] });
  expect(await kernel.post(`/api/schedules/${id}/enable`)).toMatchObject({
    status: 422,
    body: { code: "schedule_never_runs" },
  });
  clock.set("2026-05-01T09:00:00Z");
  await create(kernel);
  expect((await get(kernel, `/api/schedules/${id}`)).runs).toHaveLength(1);
  expect(await create(kernel, { when: { kind: "once", at: "2026-05-01T08:00Z" } })).toMatchObject({
    status: 422,
    code: "schedule_never_runs",
  });
});

testJobs("what would overlap is skipped and noted, unless it may", async (place) => {
  const clock = shiftedClock("2026-05-01T09:59:59Z");
  await using kernel = await startJobKernel(declare, { ...place, clock });
  const { id } = await create(kernel, { job: "test.long" });
  const { id: free } = await create(kernel, { job: "test.long", overlap: true });
  const first = (await kernel.post(`/api/schedules/${id}/run`)).body;
  expect(first).toMatchObject({ state: "pending", reason: "manual", note: null });
  await kernel.post(`/api/schedules/${free}/run`);
  expect(await kernel.post(`/api/schedules/${id}/run`)).toMatchObject({
    status: 409,
    body: { code: "schedule_running", job_id: first.job_id },
  });
  await waitFor(async () => (await get(kernel, `/api/schedules/${free}`)).runs.length === 2, { what: "two" });
  const { runs } = await waitFor(async () => {
    const found = await get(kernel, `/api/schedules/${id}`);
    return found.runs.length === 2 && found;
  }, { what: "the skipped run" });
  expect(runs[0]).toMatchObject({ state: "skipped", job_id: null, reason: "due" });
  expect(runs[0].note).toContain(first.job_id);
  expect((await news(kernel)).some(({ type }: Json) => type === "schedule.skipped")).toBe(true);
});

testJobs("disabled it rests, enabled it goes on from then, deleted it is gone", async (place) => {
  const clock = shiftedClock("2026-05-01T10:00:10Z");
  await using kernel = await startJobKernel(declare, { ...place, clock });
  const { id } = await create(kernel, { missed: "all" });
  const disabled = await kernel.post(`/api/schedules/${id}/disable`);
  expect(disabled).toMatchObject({ status: 200, body: { state: "disabled", next_runs: [] } });
  clock.set("2026-05-01T12:00:10Z");
  expect(await kernel.post(`/api/schedules/${id}/enable`)).toMatchObject({
    body: { state: "active", runs: [], next_runs: expect.arrayContaining(["2026-05-01T12:01:00.000Z"]) },
  });
  const changed = await send(
    kernel,
    `/api/schedules/${id}`,
    { when: { kind: "daily", at: "08:00" }, input: { left: 5 } },
    "PATCH",
  );
  expect(changed).toMatchObject({ status: 200, name: "sum", input: { left: 5 }, missed: "all" });
  expect(changed.next_runs[0]).toBe("2026-05-02T08:00:00.000Z");
  const remove = async () => {
    const answer = await kernel.fetch(`/api/schedules/${id}`, { method: "DELETE" });
    await answer.body?.cancel();
    return answer.status;
  };
  expect([await remove(), await remove()]).toEqual([204, 404]);
  expect((await news(kernel)).map(({ type }: Json) => type)).toEqual(
    ["created", "disabled", "enabled", "changed", "deleted"].map((what) => `schedule.${what}`),
  );
});

/** Creates a schedule, lets the agent be away for `awayMinutes`, and returns what it makes of it when it is back. */
async function afterAbsence(
  place: { storageUrl: string },
  { body, awayMinutes, runs }: { body: object; awayMinutes: number; runs: number },
): Promise<{ schedule: Json; missed: Json[]; triggered: number }> {
  const dataDir = await Deno.makeTempDir();
  try {
    const clock: ShiftedClock = shiftedClock("2026-05-01T10:00:01Z");
    const options = { ...place, clock, dataDir };
    let id: string;
    {
      await using kernel = await startJobKernel(declare, options);
      ({ id } = await create(kernel, body));
    }
    clock.set(new Date(Date.parse("2026-05-01T10:00:30Z") + awayMinutes * 60_000).toISOString());
    await using kernel = await startJobKernel(declare, options);
    // Nothing tells that nothing will come: what is due is seen to before the next time is set.
    await waitFor(async () => {
      const { next_runs } = await get(kernel, `/api/schedules/${id}`);
      return (await news(kernel)).length > 1 && next_runs.length === 5;
    }, { what: "the look at what is due" });
    const schedule = await ran(kernel, id, runs);
    const missed = (await news(kernel)).filter(({ type }: Json) => type === "schedule.missed");
    const triggered = (await news(kernel)).filter(({ type }: Json) => type === "schedule.triggered").length;
    return { schedule, missed: missed.map(({ payload }: Json) => payload), triggered };
  } finally {
    await Deno.remove(dataDir, { recursive: true });
  }
}

testJobs("missed while away: skip leaves it", async (place) => {
  const { schedule, missed } = await afterAbsence(place, { body: {}, awayMinutes: 10, runs: 1 });
  // 10:10:00 is half a minute ago: that was not missed.
  expect(schedule.runs).toMatchObject([{ planned_at: "2026-05-01T10:10:00.000Z", reason: "due" }]);
  expect(missed).toMatchObject([
    { count: 9, first_at: "2026-05-01T10:01:00.000Z", last_at: "2026-05-01T10:09:00.000Z" },
  ]);
});

testJobs("missed while away: once makes one run of all", async (place) => {
  const body = { missed: "once", when: { kind: "cron", pattern: "*/7 * * * *" } };
  const { schedule, missed } = await afterAbsence(place, { body, awayMinutes: 20, runs: 1 });
  expect(schedule.runs).toMatchObject([{ planned_at: "2026-05-01T10:14:00.000Z", reason: "missed" }]);
  expect(missed).toMatchObject([{ count: 1, first_at: "2026-05-01T10:07:00.000Z" }]);
});

testJobs("missed while away: all makes up for each, one after the other", async (place) => {
  const { schedule, missed } = await afterAbsence(place, {
    body: { missed: "all" },
    awayMinutes: 3,
    runs: 3,
  });
  expect(schedule.runs.slice(-2)).toMatchObject([
    { planned_at: "2026-05-01T10:02:00.000Z", reason: "missed", state: "completed" },
    { planned_at: "2026-05-01T10:01:00.000Z", reason: "missed", state: "completed" },
  ]);
  expect(missed).toEqual([]);
});

testJobs("missed while away: all has an end", async (place) => {
  const body = { missed: "all", overlap: true };
  const { schedule, missed, triggered } = await afterAbsence(place, { body, awayMinutes: 300, runs: 20 });
  expect(triggered).toBe(101); // a hundred that were missed, and one that is due
  expect(schedule.runs[0].planned_at).toBe("2026-05-01T15:00:00.000Z");
  expect(missed).toMatchObject([{ count: 199, last_at: "2026-05-01T13:19:00.000Z" }]);
});

testJobs("a clock that is set back does not make it run twice, nor rest", async (place) => {
  const clock = shiftedClock("2026-05-01T10:00:59Z");
  const dataDir = await Deno.makeTempDir();
  const options = { ...place, clock, dataDir };
  let id: string;
  {
    await using kernel = await startJobKernel(declare, options);
    ({ id } = await create(kernel));
    await ran(kernel, id, 1);
    clock.set("2027-05-01T10:00:00.500Z"); // a year ahead, and woken
    await create(kernel, { enabled: false });
    await ran(kernel, id, 2);
    clock.set("2026-05-01T10:00:59.500Z");
    await create(kernel, { enabled: false });
    clock.set("2026-05-01T10:01:59.500Z");
    await create(kernel, { enabled: false });
    const { runs } = await ran(kernel, id, 3);
    expect(runs.map(({ planned_at }: Json) => planned_at)).toContain("2026-05-01T10:02:00.000Z");
    const jobs = (await get(kernel, "/api/jobs?name=test.add")).items;
    expect(jobs.map(({ id }: Json) => id).sort()).toEqual(runs.map(({ job_id }: Json) => job_id).sort());
  }
  await Deno.remove(dataDir, { recursive: true });
});
