import { createParser } from "eventsource-parser";
import { expect } from "expect";
import { z } from "zod";
import { type JobKernel, startJobKernel, testJobs } from "../../tests/support/job_kernel.ts";
import { createDatabase } from "../../tests/support/postgres.ts";
import { testWithPostgres } from "../../tests/support/test_with.ts";
import { waitFor, within } from "../../tests/support/wait_for.ts";
import type { Host } from "../plugin.ts";
import { defineJob, type JobRun } from "./job.ts";

// deno-lint-ignore no-explicit-any -- answers of any shape, which the tests look into
type Shown = any;

const work = defineJob("test.work", z.unknown());

/** Work that goes on step by step, as the test tells it. */
class Steps {
  run: JobRun | undefined;
  readonly #gate = Promise.withResolvers<unknown>();

  readonly declare = (host: Host) =>
    host.job(work, async (_input, run) => {
      this.run = run;
      return await this.#gate.promise;
    });

  finish(result: unknown): void {
    this.#gate.resolve(result);
  }
}

/** An open stream of server-sent events. */
class Reader implements AsyncDisposable {
  readonly items: Shown[] = [];
  readonly problems: Shown[] = [];
  ended = false;
  /** Why the connection broke, where it did. */
  fault: unknown;
  #cut = new AbortController();
  #reading: Promise<void> | undefined;

  static async open(kernel: JobKernel, path: string, headers: Record<string, string> = {}): Promise<Reader> {
    const reader = new Reader();
    const answer = await kernel.fetch(path, { headers, signal: reader.#cut.signal });
    if (!answer.ok) throw new Error(await answer.text());
    expect(answer.headers.get("content-type")).toContain("text/event-stream");
    const parser = createParser({
      onEvent: ({ event, data }) =>
        (event === "error" ? reader.problems : reader.items).push(JSON.parse(data)),
    });
    reader.#reading = (async () => {
      for await (const text of answer.body!.pipeThrough(new TextDecoderStream())) parser.feed(text);
    })().catch((error) => {
      if (!reader.#cut.signal.aborted) reader.fault = error;
    }).finally(() => reader.ended = true);
    return reader;
  }

  /** The first item that fits. */
  reach(accept: (item: Shown) => boolean): Promise<Shown> {
    return waitFor(() => this.items.find(accept), { what: "an item", timeoutMs: 5000 });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#cut.abort();
    await this.#reading;
  }
}

testJobs("a stream of one job shows its progress at once, then its result, and ends", async (place) => {
  const steps = new Steps();
  await using kernel = await startJobKernel(steps.declare, place);
  const { id } = await kernel.host.enqueue(work, null);
  await waitFor(() => steps.run, { what: "the run" });
  await using reader = await Reader.open(kernel, `/api/jobs/${id}/sse`);
  await reader.reach(({ state }) => state === "running");
  for (const percent of [10, 55.555, 300]) {
    const began = performance.now();
    steps.run!.progress(percent, `step ${percent}`);
    const item = await reader.reach(({ message }) => message === `step ${percent}`);
    expect(item.progress).toBe(Math.min(100, Math.round(percent * 100) / 100));
    expect(performance.now() - began).toBeLessThan(500);
  }
  for (let n = 0; n < 10_000; n++) steps.run!.progress(n / 100);
  steps.finish({ done: true });
  expect(await reader.reach(({ state }) => state === "completed")).toMatchObject({
    id,
    result: { done: true },
  });
  await waitFor(() => reader.ended, { what: "the end of the stream" });
  expect(reader.items.length).toBeLessThan(20);
  expect(reader.problems).toEqual([]);
  // Whoever comes late is told at once.
  await using late = await Reader.open(kernel, `/api/jobs/${id}/sse`);
  await waitFor(() => late.ended, { what: "the end of the late stream" });
  expect(late.items).toMatchObject([{ state: "completed", result: { done: true } }]);
  await kernel.fetch(`/api/jobs/${id}/sse`, { method: "HEAD" });
});

testJobs("a WebSocket shows the same, and closes when the job has ended", async (place) => {
  const steps = new Steps();
  await using kernel = await startJobKernel(steps.declare, place);
  const { id } = await kernel.host.enqueue(work, null);
  await waitFor(() => steps.run, { what: "the run" });
  const issued = await kernel.fetch("/api/jobs/tickets", { method: "POST" });
  const { ticket } = await issued.json();
  const socket = new WebSocket(`${kernel.url.replace("http", "ws")}/api/jobs/${id}/stream?ticket=${ticket}`);
  const items: Shown[] = [];
  const closed = Promise.withResolvers<number>();
  socket.onmessage = ({ data }) => items.push(JSON.parse(data));
  socket.onclose = ({ code }) => closed.resolve(code);
  await waitFor(() => items.length > 0, { what: "the state at the beginning" });
  steps.run!.progress(30, "on the way");
  await waitFor(() => items.some(({ progress }) => progress === 30), { what: "progress" });
  steps.finish("end");
  expect(await within(closed.promise, { what: "the close", timeoutMs: 5000 })).toBe(1000);
  expect(items.at(-1)).toMatchObject({ state: "completed", result: "end" });
  const plain = await kernel.fetch(`/api/jobs/${id}/stream`);
  expect(await plain.json()).toMatchObject({ status: 426 });
});

testJobs("the stream of all jobs shows each that changes, to a limited key only its own", async (place) => {
  await using kernel = await startJobKernel((host) => host.job(work, () => "done"), place);
  const made = await kernel.fetch("/api/keys", {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ name: "limited", scopes: ["read"], projects: ["mine"] }),
  });
  const { key } = await made.json();
  await using all = await Reader.open(kernel, "/api/jobs/sse");
  await using mine = await Reader.open(kernel, "/api/jobs/sse", { authorization: `Bearer ${key}` });
  await using failed = await Reader.open(kernel, "/api/jobs/sse?state=failed");
  const other = await kernel.host.enqueue(work, null, { project: "other" });
  const own = await kernel.host.enqueue(work, null, { project: "mine" });
  for (const { id } of [other, own]) await all.reach((item) => item.id === id && item.state === "completed");
  await mine.reach((item) => item.id === own.id && item.state === "completed");
  expect(mine.items.every(({ project }) => project === "mine")).toBe(true);
  expect(all.items.some((item) => "result" in item)).toBe(false);
  expect(failed.items).toEqual([]);
});

Deno.test("streams are bounded in number, and end with the agent", async () => {
  const ended: Reader[] = [];
  {
    await using kernel = await startJobKernel((host) => host.job(work, () => {}), {
      jobs: { max_streams: 2 },
    });
    ended.push(await Reader.open(kernel, "/api/jobs/sse"), await Reader.open(kernel, "/api/jobs/sse"));
    const third = await kernel.fetch("/api/jobs/sse");
    expect({ status: third.status, code: (await third.json()).code }).toEqual({
      status: 503,
      code: "too_many_streams",
    });
    await ended.pop()![Symbol.asyncDispose]();
    ended.push(await waitFor(() => Reader.open(kernel, "/api/jobs/sse"), { what: "room for a stream" }));
  }
  for (const reader of ended) {
    await waitFor(() => reader.ended, { what: "the end" });
    expect(reader.fault).toBeUndefined();
    await reader[Symbol.asyncDispose]();
  }
});

testWithPostgres("a stream shows what happens on another agent, as it happens", async () => {
  await using database = await createDatabase();
  const steps = new Steps();
  const place = { storageUrl: database.url };
  await using one = await startJobKernel(steps.declare, { ...place, nodeId: "one" });
  await using two = await startJobKernel(() => {}, { ...place, nodeId: "two" });
  await using all = await Reader.open(two, "/api/jobs/sse");
  const { id } = await one.host.enqueue(work, null);
  await waitFor(() => steps.run, { what: "the run" });
  await using reader = await Reader.open(two, `/api/jobs/${id}/sse`);
  await reader.reach(({ state }) => state === "running");
  for (const percent of [10, 60]) {
    const began = performance.now();
    steps.run!.progress(percent);
    await reader.reach(({ progress }) => progress === percent);
    expect(performance.now() - began).toBeLessThan(1000);
  }
  steps.finish("there");
  expect(await reader.reach(({ state }) => state === "completed")).toMatchObject({ result: "there" });
  await waitFor(() => reader.ended, { what: "the end of the stream" });
  await all.reach((item) => item.id === id && item.state === "completed");
  expect(all.items.filter((item) => item.state === "completed")).toHaveLength(1);
});
