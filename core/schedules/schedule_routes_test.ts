import { expect } from "expect";
import { z } from "zod";
import { type JobKernel, startJobKernel, testJobs } from "../../tests/support/job_kernel.ts";
import { defineJob } from "../jobs/job.ts";

const add = defineJob("test.add", z.strictObject({ left: z.int() }));
const when = { kind: "daily", at: "08:00" };
const base = { name: "sum", job: "test.add", input: { left: 1 }, when };

const declare: Parameters<typeof startJobKernel>[0] = (host) => host.job(add, ({ left }) => left);

// deno-lint-ignore no-explicit-any -- answers of any shape, which the tests look into
type Json = any;

async function call(
  kernel: JobKernel,
  path: string,
  { method = "GET", body, headers = {} }: { method?: string; body?: unknown; headers?: object } = {},
): Promise<Json> {
  const answer = await kernel.fetch(path, {
    method,
    headers: { ...headers, ...(body === undefined ? {} : { "content-type": "application/json" }) },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  return { status: answer.status, ...(answer.status === 204 ? {} : await answer.json()) };
}

const create = (kernel: JobKernel, body: object, headers: object = {}): Promise<Json> =>
  call(kernel, "/api/schedules", { method: "POST", body: { ...base, ...body }, headers });

testJobs("what cannot run is refused when it is saved", async (place) => {
  await using kernel = await startJobKernel(declare, place);
  const refusals: [object, string][] = [
    [{ job: "test.none" }, "unknown_job"],
    [{ input: { left: "one" } }, "invalid_job_input"],
    [{ input: undefined }, "invalid_job_input"],
    [{ input: { left: 1, note: `cc_x_${"k".repeat(30)}` } }, "invalid_job_input"],
    [{ when: { kind: "cron", pattern: "0 0 30 2 *" } }, "schedule_never_runs"],
    [{ when: { kind: "cron", pattern: "0 8 * * 9" } }, "invalid_schedule"],
    [{ window: { from: "2020-01-01", to: "2020-12-31" } }, "schedule_never_runs"],
    [{ timezone: "Berlin" }, "invalid_request"],
    [{ when: { kind: "daily" } }, "invalid_request"],
    [{ missed: "never" }, "invalid_request"],
    [{ colour: "red" }, "invalid_request"],
  ];
  for (const [body, code] of refusals) {
    const { status, code: told } = await create(kernel, body);
    expect([body, status, told]).toEqual([body, 422, code]);
  }
  expect((await call(kernel, "/api/schedules")).items).toEqual([]);
  const { id } = await create(kernel, {});
  const changes = [[{ input: { left: "x" } }, "invalid_job_input"], [
    { job: "none" },
    "unknown_job",
  ]] as const;
  for (const [body, code] of changes) {
    expect(await call(kernel, `/api/schedules/${id}`, { method: "PATCH", body })).toMatchObject({
      status: 422,
      code,
    });
  }
  expect(await call(kernel, `/api/schedules/${id}`)).toMatchObject({ input: { left: 1 } });
});

testJobs("schedules of the same job that meet are told of", async (place) => {
  await using kernel = await startJobKernel(declare, place);
  const first = await create(kernel, { name: "first" });
  await create(kernel, { name: "elsewhere", project: "other" });
  await create(kernel, { name: "later", when: { kind: "daily", at: "09:00" } });
  await create(kernel, { name: "resting", enabled: false });
  const second = await create(kernel, { name: "second", when: { kind: "cron", pattern: "1 8 * * *" } });
  expect(second.conflicts).toEqual([{ id: first.id, name: "first", at: first.next_runs[0] }]);
  const seen = await call(kernel, `/api/schedules/${first.id}`);
  expect(seen.conflicts).toMatchObject([{ name: "second" }]);
});

testJobs("the list filters, and goes on from page to page", async (place) => {
  await using kernel = await startJobKernel(declare, place);
  const ids: string[] = [];
  for (let n = 0; n < 5; n++) {
    const project = n % 2 ? "odd" : "even";
    ids.unshift((await create(kernel, { project, enabled: n !== 0 })).id);
  }
  const found = async (query: string) =>
    (await call(kernel, `/api/schedules?${query}`)).items.map(({ id }: Json) => id);
  const all: string[] = [];
  for (let cursor: string | null = ""; cursor !== null;) {
    const page: Json = await call(kernel, `/api/schedules?limit=2${cursor}`);
    all.push(...page.items.map(({ id }: Json) => id));
    cursor = page.next === null ? null : `&cursor=${page.next}`;
  }
  expect(all).toEqual(ids);
  expect(await found("project=odd")).toEqual([ids[1], ids[3]]);
  expect(await found("enabled=false")).toEqual([ids[4]]);
  expect(await found("job=test.none")).toEqual([]);
  expect(await call(kernel, "/api/schedules?cursor=x")).toMatchObject({ code: "invalid_cursor" });
});

testJobs("a key limited to projects sees and changes only theirs", async (place) => {
  await using kernel = await startJobKernel(declare, place);
  const { key } = await call(kernel, "/api/keys", {
    method: "POST",
    body: { name: "limited", scopes: ["write"], projects: ["mine"] },
  });
  const headers = { authorization: `Bearer ${key}` };
  const mine = await create(kernel, { project: "mine" }, headers);
  expect(mine).toMatchObject({ status: 201, created_by: "limited" });
  for (const project of [null, "other"]) {
    const { id } = await create(kernel, { project });
    expect(await create(kernel, { project }, headers)).toMatchObject({
      status: 403,
      code: "project_forbidden",
    });
    const path = `/api/schedules/${id}`;
    for (
      const [method, route, body] of [
        ["GET", "", undefined],
        ["PATCH", "", { name: "x" }],
        ["DELETE", "", undefined],
        ["POST", "/enable", undefined],
        ["POST", "/disable", undefined],
        ["POST", "/run", undefined],
      ] as const
    ) {
      expect(await call(kernel, path + route, { method, body, headers })).toMatchObject({
        status: 404,
        code: "schedule_not_found",
      });
    }
    const away = { method: "PATCH", body: { project }, headers };
    expect((await call(kernel, `/api/schedules/${mine.id}`, away)).status).toBe(403);
  }
  expect((await call(kernel, "/api/schedules", { headers })).items).toMatchObject([{ id: mine.id }]);
  const reader = await call(kernel, "/api/keys", { method: "POST", body: { name: "r", scopes: ["read"] } });
  const readOnly = { authorization: `Bearer ${reader.key}` };
  expect((await create(kernel, {}, readOnly)).code).toBe("insufficient_scope");
});

testJobs("without a plugin for its job a schedule stays, is blocked, and says why", async (place) => {
  await using kernel = await startJobKernel(declare, place);
  const { id } = await create(kernel, {});
  await kernel.stopPlugin("worker");
  const blocked = await call(kernel, `/api/schedules/${id}`);
  expect(blocked).toMatchObject({ state: "blocked" });
  expect(blocked.blocked_reason).toContain('jobs named "test.add"');
  expect(await call(kernel, `/api/schedules/${id}/run`, { method: "POST" })).toMatchObject({
    status: 409,
    code: "schedule_blocked",
  });
  await kernel.startPlugin("worker");
  expect(await call(kernel, `/api/schedules/${id}`)).toMatchObject({ state: "active" });
  expect((await call(kernel, `/api/schedules/${id}/run`, { method: "POST" })).status).toBe(202);
});

Deno.test("a run by hand is all there, or not at all", async () => {
  await using kernel = await startJobKernel(declare);
  const { id } = await create(kernel, {});
  await kernel.stopPlugin("event-store"); // its event cannot be stored any more, the last step of a run
  expect((await call(kernel, `/api/schedules/${id}/run`, { method: "POST" })).status).toBe(503);
  await kernel.startPlugin("event-store");
  expect((await call(kernel, `/api/schedules/${id}`)).runs).toEqual([]);
  expect((await call(kernel, "/api/jobs")).items).toEqual([]);
});
