import { expect } from "expect";
import type { Transaction } from "kysely";
import { z } from "zod";
import { type JobKernel, startJobKernel, testJobs } from "../../tests/support/job_kernel.ts";
import { createDatabase } from "../../tests/support/postgres.ts";
import { testWithPostgres } from "../../tests/support/test_with.ts";
import { waitFor, within } from "../../tests/support/wait_for.ts";
import type { Host } from "../plugin.ts";
import { defineJob, type JobRun } from "./job.ts";
import type { JobTables } from "./job_tables.ts";

const wait = defineJob("test.wait", z.unknown());
const stubborn = defineJob("test.stubborn", z.unknown());

/** Waits for its signal, and counts what runs. */
class Waiter {
  readonly runs: JobRun[] = [];
  running = 0;

  readonly declare = (host: Host) =>
    host.job(wait, async (_input, run) => {
      this.runs.push(run);
      this.running++;
      await aborted(run.signal);
      this.running--;
      run.signal.throwIfAborted();
    });
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    signal.addEventListener("abort", () => resolve(), { once: true });
  });
}

testJobs("a job that waits is cancelled at once, one that runs within a second", async (place) => {
  const waiter = new Waiter();
  await using kernel = await startJobKernel(waiter.declare, place);
  const later = await kernel.host.enqueue(wait, null, { delayMs: 60_000 });
  expect((await kernel.post(`/api/jobs/${later.id}/cancel`)).body).toMatchObject({ state: "cancelled" });
  expect(await kernel.news(later.id)).toEqual(["job.enqueued", "job.cancelled"]);
  const { id } = await kernel.host.enqueue(wait, null);
  await waitFor(() => waiter.running === 1, { what: "the run" });
  const began = performance.now();
  expect(await kernel.post(`/api/jobs/${id}/cancel`)).toMatchObject({ status: 200 });
  await waitFor(() => waiter.running === 0, { what: "the signal" });
  expect(performance.now() - began).toBeLessThan(1000);
  expect(String(waiter.runs[0]!.signal.reason)).toContain("cancelled");
  expect(await kernel.reach(id, "cancelled")).toMatchObject({ cancelling: false, error: null });
  expect((await kernel.post(`/api/jobs/${id}/cancel`)).status).toBe(200);
  expect(await kernel.news(id)).toEqual(["job.enqueued", "job.started", "job.cancelled"]);
});

testJobs("a job that fails while it is being cancelled is not tried again", async (place) => {
  const gate = Promise.withResolvers<void>();
  await using kernel = await startJobKernel((host) =>
    host.job(wait, async () => {
      await gate.promise;
      throw new Error("at the same moment");
    }), place);
  const { id } = await kernel.host.enqueue(wait, null);
  await kernel.reach(id, "running");
  // Asked for where this agent does not see it before the attempt has failed.
  const db = kernel.host.storage.tables<JobTables>();
  const asked = db.updateTable("jobs_job").set({ cancel_requested: 1 }).where("id", "=", id).execute();
  void asked.then(() => gate.resolve());
  expect(await kernel.reach(id, "cancelled")).toMatchObject({ attempt: 1 });
});

testJobs("an attempt that takes too long has failed", async (place) => {
  const waiter = { attempts: 0 };
  await using kernel = await startJobKernel((host) =>
    host.job(wait, async (_input, { signal }) => {
      waiter.attempts++;
      await aborted(signal);
      return "as if it were done";
    }, { timeLimitMs: 50, retry: { maxAttempts: 2, firstDelayMs: 10 } }), place);
  const { id } = await kernel.host.enqueue(wait, null);
  expect(await kernel.reach(id, "failed")).toMatchObject({
    attempt: 2,
    result: null,
    error: { code: "time_limit", message: "The attempt took longer than its limit of 50 ms" },
  });
  expect(waiter.attempts).toBe(2);
});

Deno.test("work that ignores its signal is given up, but keeps its place until it ends", async () => {
  const gate = Promise.withResolvers<void>();
  let runs = 0;
  await using kernel = await startJobKernel((host) =>
    host.job(stubborn, async () => {
      runs++;
      await gate.promise;
    }, { concurrency: 1, timeLimitMs: 20, retry: { firstDelayMs: 1 } })
  );
  const { id } = await kernel.host.enqueue(stubborn, null);
  const { id: next } = await kernel.host.enqueue(stubborn, null);
  const failed = await kernel.reach(id, "failed");
  expect(failed).toMatchObject({ attempt: 1, error: { code: "time_limit" } });
  expect(await kernel.job(next)).toMatchObject({ state: "pending" });
  expect(runs).toBe(1);
  gate.resolve();
  await kernel.reach(next, "completed");
});

testJobs("a plugin that stops hands its jobs back, and goes on with them when it starts", async (place) => {
  const waiter = new Waiter();
  await using kernel = await startJobKernel(waiter.declare, place);
  const { id } = await kernel.host.enqueue(wait, null);
  await waitFor(() => waiter.running === 1, { what: "the run" });
  const began = performance.now();
  await kernel.stopPlugin("worker");
  expect(performance.now() - began).toBeLessThan(1000);
  expect(waiter.running).toBe(0);
  expect(await kernel.job(id)).toMatchObject({ state: "pending", attempt: 0, registered: false });
  await kernel.startPlugin("worker");
  await waitFor(() => waiter.running === 1, { what: "the second run" });
  expect(waiter.runs[1]).toMatchObject({ id, attempt: 1 });
  expect(await kernel.news(id)).toEqual(["job.enqueued", "job.started", "job.returned", "job.started"]);
});

testJobs("what a run was told first counts", async (place) => {
  let told = 0;
  const gate = Promise.withResolvers<void>();
  await using kernel = await startJobKernel((host) =>
    host.job(wait, async (_input, { signal }) => {
      await aborted(signal);
      told++;
      await gate.promise;
    }, { timeLimitMs: 20, retry: { maxAttempts: 1 } }), place);
  const { id } = await kernel.host.enqueue(wait, null);
  await waitFor(() => told === 1, { what: "the signal" });
  expect((await kernel.post(`/api/jobs/${id}/cancel`)).body).toMatchObject({ cancelling: true });
  gate.resolve();
  expect(await kernel.reach(id, "failed")).toMatchObject({ error: { code: "time_limit" } });
});

testJobs(
  "work that outlasts its plugin runs nowhere else, and is handed back when it ends",
  async (place) => {
    const gates = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
    let runs = 0;
    await using kernel = await startJobKernel((host) => host.job(stubborn, () => gates[runs++]?.promise), {
      ...place,
      jobs: { lease: "1s" },
    });
    const { id } = await kernel.host.enqueue(stubborn, null);
    await waitFor(() => runs === 1, { what: "the run" });
    await kernel.stopPlugin("worker");
    await kernel.startPlugin("worker");
    expect(await kernel.job(id)).toMatchObject({ state: "running" });
    gates[0]!.resolve();
    await waitFor(() => runs === 2, { what: "the second run" });
    gates[1]!.resolve();
    await kernel.reach(id, "completed");
  },
);

testJobs("an agent that stops hands its jobs back, and the next one goes on at once", async (place) => {
  const dataDir = await Deno.makeTempDir();
  const ids: string[] = [];
  {
    const waiter = new Waiter();
    await using kernel = await startJobKernel((host) => {
      waiter.declare(host);
      host.job(stubborn, () => new Promise(() => {}));
    }, { ...place, dataDir });
    ids.push((await kernel.host.enqueue(wait, null)).id, (await kernel.host.enqueue(stubborn, null)).id);
    for (const id of ids) await kernel.reach(id, "running");
  }
  {
    await using kernel = await startJobKernel((host) => {
      host.job(wait, () => "again");
      host.job(stubborn, () => "again");
    }, { ...place, dataDir });
    const began = performance.now();
    for (const id of ids) {
      expect(await kernel.reach(id, "completed")).toMatchObject({ attempt: 1, result: "again" });
    }
    expect(performance.now() - began).toBeLessThan(1000);
  }
  await Deno.remove(dataDir, { recursive: true });
});

testJobs("while the store of events is stopped no job changes its state", async (place) => {
  const gate = Promise.withResolvers<void>();
  await using kernel = await startJobKernel((host) => host.job(wait, () => gate.promise), place);
  const { id } = await kernel.host.enqueue(wait, null);
  await kernel.reach(id, "running");
  await kernel.stopPlugin("event-store");
  gate.resolve();
  await expect(kernel.host.enqueue(wait, null)).rejects.toMatchObject({ status: 503 });
  expect(await kernel.job(id)).toMatchObject({ state: "running" });
  await kernel.startPlugin("event-store");
  await kernel.reach(id, "completed");
  expect(await kernel.news(id)).toEqual(["job.enqueued", "job.started", "job.completed"]);
});

/** Two agents on one database, of which only the first does the work. */
async function withTwo(
  run: (one: JobKernel, two: JobKernel, waiter: Waiter) => Promise<void>,
): Promise<void> {
  await using database = await createDatabase();
  const waiter = new Waiter();
  const place = { storageUrl: database.url };
  await using one = await startJobKernel(waiter.declare, { ...place, nodeId: "one" });
  await using two = await startJobKernel(() => {}, { ...place, nodeId: "two" });
  await run(one, two, waiter);
}

testWithPostgres("a job is cancelled within a second through another agent", async () => {
  await withTwo(async (one, two, waiter) => {
    const { id } = await two.host.enqueue(wait, null);
    await waitFor(() => waiter.running === 1, { what: "the run on the other agent", timeoutMs: 1000 });
    const began = performance.now();
    expect((await two.post(`/api/jobs/${id}/cancel`)).body).toMatchObject({
      cancelling: true,
      node_id: "one",
    });
    await waitFor(() => waiter.running === 0, { what: "the signal" });
    expect(performance.now() - began).toBeLessThan(1000);
    await one.reach(id, "cancelled");
  });
});

testWithPostgres("a run that has lost its lease is told so, and can write nothing any more", async () => {
  await withTwo(async (one, _two, waiter) => {
    const { id } = await one.host.enqueue(wait, null);
    await waitFor(() => waiter.running === 1, { what: "the run" });
    // As an agent would that believes the first one to be lost.
    await one.host.db.transaction().execute(async (trx) => {
      const db = trx as unknown as Transaction<JobTables>;
      await db.updateTable("jobs_job").set({ lease_token: "other", node_id: "three" }).where("id", "=", id)
        .execute();
      await one.host.storage.announce(trx);
    });
    await within(aborted(waiter.runs[0]!.signal), { what: "the signal", timeoutMs: 1000 });
    expect(String(waiter.runs[0]!.signal.reason)).toContain("lease");
    waiter.runs[0]!.progress(99);
    await waitFor(() => waiter.running === 0, { what: "the end of the work" });
    expect(await one.job(id)).toMatchObject({ state: "running", node_id: "three", progress: 0 });
  });
});
