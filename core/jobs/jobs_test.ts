import { expect } from "expect";
import { z } from "zod";
import { startJobKernel, testJobs } from "../../tests/support/job_kernel.ts";
import { waitFor } from "../../tests/support/wait_for.ts";
import { currentContext, withContext } from "../context.ts";
import { Secret } from "../secret.ts";
import { defineJob, type JobRun, PermanentFailure } from "./job.ts";

const add = defineJob("test.add", z.strictObject({ left: z.int(), right: z.int().default(1) }));

testJobs("a job runs with its parsed input, and its result is kept", async (place) => {
  const seen: JobRun[] = [];
  await using kernel = await startJobKernel((host) => {
    host.job(add, ({ left, right }, run) => {
      seen.push(run);
      run.progress(40, "half way");
      return { sum: left + right };
    });
  }, place);
  const context = { correlationId: "c-1", causationId: "e-1" };
  const { id, duplicate } = await withContext(
    context,
    () => kernel.host.enqueue(add, { left: 2 }, { project: "demo", priority: 5 }),
  );
  expect(duplicate).toBe(false);
  expect(await kernel.reach(id, "completed")).toMatchObject({
    name: "test.add",
    project: "demo",
    priority: 5,
    progress: 100,
    message: "half way",
    attempt: 1,
    input: { left: 2 },
    result: { sum: 3 },
    error: null,
    registered: true,
    correlation_id: "c-1",
    causation_id: "e-1",
    cancelling: false,
  });
  expect(seen).toMatchObject([{ id, attempt: 1, project: "demo", correlationId: "c-1" }]);
  expect(await kernel.news(id)).toEqual(["job.enqueued", "job.started", "job.completed"]);
});

testJobs("what a run publishes belongs to the call that enqueued it, and to its own begin", async (place) => {
  const contexts: unknown[] = [];
  await using kernel = await startJobKernel((host) => {
    host.job(add, () => void contexts.push(currentContext()));
  }, place);
  const { id } = await kernel.host.enqueue(add, { left: 1 }, { correlationId: "c-2" });
  await kernel.reach(id, "completed");
  const { items } = await (await kernel.fetch("/api/events?type=job.started")).json();
  expect(contexts).toMatchObject([{ correlationId: "c-2", causationId: items[0].id }]);
  expect(items[0]).toMatchObject({ correlation_id: "c-2" });
});

testJobs("input that does not fit, holds a secret, or is too large is refused", async (place) => {
  await using kernel = await startJobKernel((host) => host.job(add, () => {}), place);
  const any = defineJob("test.any", z.unknown());
  const refused = (work: Promise<unknown>) => work.then(() => undefined, (error) => error);
  expect(await refused(kernel.host.enqueue(add, { left: 1.5 }))).toMatchObject({
    status: 422,
    code: "invalid_job_input",
    message: expect.stringContaining("input.left"),
  });
  expect(await refused(kernel.host.enqueue(any, { a: [new Secret("s")] }))).toMatchObject({
    status: 422,
    message: expect.stringContaining("input.a.0 is a secret"),
  });
  expect(await refused(kernel.host.enqueue(any, { key: `cc_abc_${"x".repeat(30)}` }))).toMatchObject({
    status: 422,
  });
  expect(await refused(kernel.host.enqueue(any, "x".repeat(300_000)))).toMatchObject({ status: 413 });
  expect(await refused(kernel.host.enqueue(any, 1n))).toMatchObject({ status: 422 });
  expect(await refused(kernel.host.enqueue(add, { left: 1 }, { priority: 101 }))).toMatchObject({
    status: 422,
  });
  expect(await refused(kernel.host.enqueue(add, { left: 1 }, { delayMs: -1 }))).toMatchObject({
    status: 422,
  });
  expect(await (await kernel.fetch("/api/jobs")).json()).toEqual({ items: [], next: null });
});

testJobs("in a caller's transaction a job is there if, and only if, that commits", async (place) => {
  await using kernel = await startJobKernel((host) => host.job(add, () => {}), place);
  const { host } = kernel;
  await expect(
    host.db.transaction().execute(async (trx) => {
      await host.enqueue(add, { left: 1 }, { trx });
      throw new Error("no");
    }),
  ).rejects.toThrow("no");
  expect((await (await kernel.fetch("/api/jobs")).json()).items).toEqual([]);
  const { id } = await host.db.transaction().execute((trx) => host.enqueue(add, { left: 1 }, { trx }));
  await kernel.reach(id, "completed");
  expect(await kernel.news(id)).toEqual(["job.enqueued", "job.started", "job.completed"]);
});

testJobs("a failing job is tried again, and fails for good after its last attempt", async (place) => {
  const attempts: number[] = [];
  await using kernel = await startJobKernel((host) => {
    host.job(add, (_input, { attempt }) => {
      attempts.push(attempt);
      throw new Error("no connection to https://me:pass@example.org/x with Bearer abcdefghijkl");
    }, { retry: { maxAttempts: 3, firstDelayMs: 20 } });
  }, place);
  const { id } = await kernel.host.enqueue(add, { left: 1 });
  const failed = await kernel.reach(id, "failed");
  expect(attempts).toEqual([1, 2, 3]);
  expect(failed.error).toEqual({
    message: "no connection to https://[redacted]@example.org/x with Bearer [redacted]",
    code: "Error",
  });
  expect(await kernel.news(id)).toEqual([
    "job.enqueued",
    "job.started",
    "job.waiting",
    "job.started",
    "job.waiting",
    "job.started",
    "job.failed",
  ]);
});

testJobs("a permanent failure is not tried again, but can be by hand", async (place) => {
  let isMended = false;
  await using kernel = await startJobKernel((host) => {
    host.job(add, () => {
      if (!isMended) throw new PermanentFailure("never");
      return "done";
    });
  }, place);
  const { id } = await kernel.host.enqueue(add, { left: 1 }, { dedupeKey: "one" });
  expect(await kernel.reach(id, "failed")).toMatchObject({ attempt: 1, error: { code: "PermanentFailure" } });
  const later = await kernel.host.enqueue(add, { left: 1 }, { dedupeKey: "one", delayMs: 60_000 });
  expect(later.duplicate).toBe(false);
  expect(await kernel.post(`/api/jobs/${id}/retry`)).toMatchObject({
    status: 409,
    body: { code: "job_duplicate" },
  });
  expect((await kernel.post(`/api/jobs/${later.id}/cancel`)).body).toMatchObject({ state: "cancelled" });
  isMended = true;
  expect((await kernel.post(`/api/jobs/${id}/retry`)).status).toBe(200);
  expect(await kernel.reach(id, "completed")).toMatchObject({ attempt: 1, result: "done", error: null });
  expect((await kernel.news(id)).slice(-3)).toEqual(["job.retried", "job.started", "job.completed"]);
});

testJobs("while a job is unfinished, one with its dedupe key is the same one", async (place) => {
  const gate = Promise.withResolvers<void>();
  await using kernel = await startJobKernel((host) => host.job(add, () => gate.promise), place);
  const all = await Promise.all(
    Array.from({ length: 50 }, () => kernel.host.enqueue(add, { left: 1 }, { dedupeKey: "k" })),
  );
  const first = all.filter(({ duplicate }) => !duplicate);
  expect(first).toHaveLength(1);
  expect(new Set(all.map(({ id }) => id)).size).toBe(1);
  const other = defineJob("test.other", z.unknown());
  expect(await kernel.host.enqueue(other, null, { dedupeKey: "k" })).toMatchObject({ duplicate: false });
  gate.resolve();
  await kernel.reach(first[0]!.id, "completed");
  expect(await kernel.host.enqueue(add, { left: 1 }, { dedupeKey: "k" })).toMatchObject({ duplicate: false });
});

testJobs("jobs run by priority, then age, within the limits of job and project", async (place) => {
  let nowMs = Date.now();
  const clock = { now: () => nowMs, monotonic: () => performance.now() };
  const order: string[] = [];
  let running = 0;
  let most = 0;
  const perProject = new Map<string, number>();
  let mostOfProject = 0;
  const work = defineJob("test.work", z.string());
  await using kernel = await startJobKernel((host) => {
    host.job(work, async (name, { project, signal }) => {
      order.push(name);
      most = Math.max(most, ++running);
      const count = (perProject.get(project!) ?? 0) + 1;
      perProject.set(project!, count);
      mostOfProject = Math.max(mostOfProject, count);
      await waitFor(() => most === 3, { what: "as many runs as there may be" });
      expect(signal.aborted).toBe(false);
      perProject.set(project!, perProject.get(project!)! - 1);
      running--;
    }, { concurrency: 3, concurrencyPerProject: 2 });
  }, { ...place, clock });
  const { host } = kernel;
  const due = new Date(nowMs + 1000);
  const put = (name: string, priority: number, project: string) =>
    host.enqueue(work, name, { priority, project, runAt: due });
  const jobs = [
    ...await Promise.all(Array.from({ length: 8 }, (_, n) => put(`low-${n}`, 0, "a"))),
    ...await Promise.all(Array.from({ length: 3 }, (_, n) => put(`other-${n}`, 0, "b"))),
    await put("high", 9, "a"),
  ];
  nowMs += 1000;
  const { id } = await put("last", -1, "a");
  for (const job of [...jobs, { id }]) await kernel.reach(job.id, "completed");
  expect(order[0]).toBe("high");
  expect({ most, mostOfProject }).toEqual({ most: 3, mostOfProject: 2 });
  expect(order.slice(0, 6).some((name) => name.startsWith("other"))).toBe(true);
});

testJobs("a job with a delay begins when its time has come", async (place) => {
  const began: number[] = [];
  await using kernel = await startJobKernel(
    (host) => host.job(add, () => void began.push(Date.now())),
    place,
  );
  const due = Date.now() + 400;
  const { id } = await kernel.host.enqueue(add, { left: 1 }, { delayMs: 400 });
  expect(await kernel.job(id)).toMatchObject({ state: "pending", started_at: null });
  await waitFor(() => began.length === 1, { what: "the job to run" });
  expect(began[0]).toBeGreaterThanOrEqual(due - 2);
  expect(began[0]! - due).toBeLessThan(1000);
  await kernel.reach(id, "completed");
});

testJobs("a job that nobody here does waits, and is shown as such", async (place) => {
  await using kernel = await startJobKernel((host) => host.job(add, () => {}), place);
  const foreign = defineJob("gone.work", z.unknown());
  const { id } = await kernel.host.enqueue(foreign, null);
  const { id: own } = await kernel.host.enqueue(add, { left: 1 });
  await kernel.reach(own, "completed");
  expect(await kernel.job(id)).toMatchObject({ state: "pending", registered: false });
  expect(await kernel.news(id)).toEqual(["job.enqueued"]);
});

Deno.test("without a store of events they go to the bus", async () => {
  const types: string[] = [];
  await using kernel = await startJobKernel((host) => {
    host.bus.subscribe(
      "hub.*.job.*",
      ({ subject }) => void types.push(subject.split(".").slice(2).join(".")),
    );
    host.job(add, () => {});
  }, { withoutEvents: true });
  await kernel.host.enqueue(add, { left: 1 });
  await waitFor(() => types.length === 3, { what: "three events" });
  expect(types).toEqual(["job.enqueued", "job.started", "job.completed"]);
});
