import { expect } from "expect";
import { z } from "zod";
import { type JobKernel, startJobKernel, testJobs } from "../../tests/support/job_kernel.ts";
import { waitFor } from "../../tests/support/wait_for.ts";
import { defineJob, PermanentFailure } from "./job.ts";

const add = defineJob("test.add", z.strictObject({ left: z.int().describe("The first") }));
const fail = defineJob("test.fail", z.unknown());
const never = defineJob("gone.never", z.unknown());

const declare: Parameters<typeof startJobKernel>[0] = (host) => {
  host.job(add, ({ left }) => left);
  host.job(fail, () => {
    throw new PermanentFailure("no");
  });
};

async function limitedKey(kernel: JobKernel, projects: string[]): Promise<Record<string, string>> {
  const answer = await kernel.fetch("/api/keys", {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ name: "limited", scopes: ["write"], projects }),
  });
  return { authorization: `Bearer ${(await answer.json()).key}` };
}

// deno-lint-ignore no-explicit-any -- answers of any shape, which the tests look into
async function get(kernel: JobKernel, path: string, headers: Record<string, string> = {}): Promise<any> {
  return await (await kernel.fetch(path, { headers })).json();
}

testJobs("the list filters, and goes on from page to page", async (place) => {
  await using kernel = await startJobKernel(declare, place);
  const { host } = kernel;
  const ids: string[] = [];
  for (let n = 0; n < 7; n++) {
    const { id } = await host.enqueue(add, { left: n }, { project: n % 2 ? "odd" : "even" });
    ids.unshift(id);
    await kernel.reach(id, "completed");
  }
  const failed = await host.enqueue(fail, null, { project: "odd" });
  await kernel.reach(failed.id, "failed");
  const waiting = await host.enqueue(never, null);
  const all: string[] = [];
  for (let cursor = ""; cursor !== "end";) {
    const page = await get(kernel, `/api/jobs?limit=2${cursor}`);
    for (const item of page.items) {
      expect("input" in item || "result" in item).toBe(false);
      all.push(item.id);
    }
    cursor = page.next === null ? "end" : `&cursor=${page.next}`;
  }
  expect(all).toEqual([waiting.id, failed.id, ...ids]);
  const found = async (query: string) =>
    (await get(kernel, `/api/jobs?${query}`)).items.map(({ id }: { id: string }) => id);
  expect(await found("state=failed")).toEqual([failed.id]);
  expect(await found("state=pending")).toEqual([waiting.id]);
  expect(await found("name=test.add&project=odd")).toEqual(ids.filter((_id, n) => n % 2 === 1));
  expect(await found(`since=${(await kernel.job(failed.id)).created_at}`)).toEqual([waiting.id, failed.id]);
  expect(await get(kernel, "/api/jobs?cursor=x")).toMatchObject({ status: 422, code: "invalid_cursor" });
  expect(await get(kernel, "/api/jobs?state=done")).toMatchObject({ status: 422 });
});

testJobs("a key limited to projects sees and changes only theirs", async (place) => {
  await using kernel = await startJobKernel(declare, place);
  const headers = await limitedKey(kernel, ["mine"]);
  const { id: mine } = await kernel.host.enqueue(never, null, { project: "mine" });
  const { id: other } = await kernel.host.enqueue(never, null, { project: "other" });
  const { id: nobodys } = await kernel.host.enqueue(never, null);
  expect((await get(kernel, "/api/jobs", headers)).items).toMatchObject([{ id: mine }]);
  expect((await get(kernel, "/api/jobs?project=other", headers)).items).toEqual([]);
  expect(await get(kernel, "/api/jobs/statistics", headers)).toMatchObject({ by_state: { pending: 1 } });
  for (const id of [other, nobodys]) {
    for (
      const [method, path] of [["GET", ""], ["POST", "/cancel"], ["POST", "/retry"], ["DELETE", ""], [
        "GET",
        "/sse",
      ]]
    ) {
      const answer = await kernel.fetch(`/api/jobs/${id}${path}`, { method: method!, headers });
      expect({ status: answer.status, code: (await answer.json()).code }).toEqual({
        status: 404,
        code: "job_not_found",
      });
    }
  }
  const cancelled = await kernel.fetch(`/api/jobs/${mine}/cancel`, { method: "POST", headers });
  expect(await cancelled.json()).toMatchObject({ state: "cancelled" });
});

testJobs("cancel, retry and delete answer 409 where the state does not allow them", async (place) => {
  await using kernel = await startJobKernel(declare, place);
  const { id } = await kernel.host.enqueue(add, { left: 1 });
  await kernel.reach(id, "completed");
  for (const verb of ["cancel", "retry"]) {
    expect(await kernel.post(`/api/jobs/${id}/${verb}`)).toMatchObject({
      status: 409,
      body: { code: "job_state", state: "completed" },
    });
  }
  const { id: waiting } = await kernel.host.enqueue(never, null);
  const remove = async (job: string) => {
    const answer = await kernel.fetch(`/api/jobs/${job}`, { method: "DELETE" });
    await answer.body?.cancel();
    return answer.status;
  };
  expect(await remove(waiting)).toBe(409);
  expect(await remove(id)).toBe(204);
  expect(await remove(id)).toBe(404);
  expect(await kernel.job(id)).toMatchObject({ status: 404, code: "job_not_found" });
});

testJobs("statistics count, and measure what ended", async (place) => {
  await using kernel = await startJobKernel(declare, place);
  const { host } = kernel;
  expect(await get(kernel, "/api/jobs/statistics")).toMatchObject({
    by_state: { pending: 0, waiting: 0, running: 0, completed: 0, failed: 0, cancelled: 0 },
    success_rate: null,
    mean_duration_ms: null,
    oldest_waiting: null,
    complete: true,
  });
  for (let n = 0; n < 3; n++) await kernel.reach((await host.enqueue(add, { left: n })).id, "completed");
  await kernel.reach((await host.enqueue(fail, null)).id, "failed");
  const { id } = await host.enqueue(never, null);
  const { id: cancelled } = await host.enqueue(never, null, { delayMs: 60_000 });
  await kernel.post(`/api/jobs/${cancelled}/cancel`);
  const figures = await get(kernel, "/api/jobs/statistics");
  expect(figures).toMatchObject({
    by_state: { pending: 1, waiting: 0, running: 0, completed: 3, failed: 1, cancelled: 1 },
    success_rate: 0.75,
    queue_depth: 1,
    oldest_waiting: { due_at: (await kernel.job(id)).run_at },
    complete: true,
  });
  expect(figures.p95_duration_ms).toBeGreaterThanOrEqual(figures.mean_duration_ms);
  expect(await get(kernel, "/api/jobs/statistics?name=test.fail")).toMatchObject({
    success_rate: 0,
    queue_depth: 0,
  });
});

Deno.test("the names tell what each job has to be given", async () => {
  await using kernel = await startJobKernel(declare);
  const { items } = await get(kernel, "/api/jobs/names");
  expect(items).toMatchObject([
    {
      name: "test.add",
      plugin: "worker",
      input: { type: "object", properties: { left: { description: "The first" } }, required: ["left"] },
    },
    { name: "test.fail", plugin: "worker" },
  ]);
  await kernel.stopPlugin("worker");
  expect((await get(kernel, "/api/jobs/names")).items).toEqual([]);
});

Deno.test("a second plugin cannot declare a job that another has", async () => {
  await expect(startJobKernel((host) => {
    host.job(add, () => {});
    host.job(add, () => {});
  })).rejects.toThrow('Cannot declare the job "test.add": "worker" has declared it');
  await expect(startJobKernel((host) => host.job(add, () => {}, { concurrency: 0 }))).rejects.toThrow(
    "1 or more",
  );
});

testJobs("ended jobs are forgotten after their time", async (place) => {
  let nowMs = Date.now();
  const clock = { now: () => nowMs, monotonic: () => performance.now() };
  const dataDir = await Deno.makeTempDir();
  let ids: string[] = [];
  const options = { ...place, clock, dataDir, jobs: { history: "1h" } };
  {
    await using kernel = await startJobKernel(declare, options);
    const old = await kernel.host.enqueue(add, { left: 1 });
    await kernel.reach(old.id, "completed");
    const waiting = await kernel.host.enqueue(never, null);
    nowMs += 3_600_001;
    const recent = await kernel.host.enqueue(add, { left: 1 });
    await kernel.reach(recent.id, "completed");
    ids = [recent.id, waiting.id];
  }
  {
    await using kernel = await startJobKernel(declare, options);
    const kept = await waitFor(async () => {
      const { items } = await get(kernel, "/api/jobs");
      return items.length === 2 && items;
    }, { what: "the old job to be forgotten" });
    expect(kept.map(({ id }: { id: string }) => id)).toEqual(ids);
    const metrics = await kernel.host.metrics.all.snapshot();
    const jobs = metrics.find(({ name }) => name === "commandcenter_jobs")?.samples;
    expect(jobs).toContainEqual({ labels: { state: "pending" }, value: 1 });
    const { checks } = await get(kernel, "/health");
    expect(checks).toContainEqual(expect.objectContaining({ name: "jobs", status: "up" }));
  }
  await Deno.remove(dataDir, { recursive: true });
});
