import { expect } from "expect";
import { z } from "zod";
import { followCli } from "../../tests/support/follow_cli.ts";
import { type JobKernel, startJobKernel } from "../../tests/support/job_kernel.ts";
import { type CliResult, runCli } from "../../tests/support/run_cli.ts";
import { waitFor } from "../../tests/support/wait_for.ts";
import { defineJob, type JobRun, PermanentFailure } from "./job.ts";

const add = defineJob("test.add", z.strictObject({ left: z.int() }));
const steps = defineJob("test.steps", z.null());

interface Stage {
  readonly kernel: JobKernel;
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  cli(...words: string[]): Promise<CliResult>;
  /** The run of `test.steps`, and the way to let it end. */
  run(): JobRun | undefined;
  finish(): void;
}

async function withStage(work: (stage: Stage) => Promise<void>): Promise<void> {
  const gate = Promise.withResolvers<void>();
  let run: JobRun | undefined;
  await using kernel = await startJobKernel((host) => {
    host.job(add, ({ left }) => {
      if (left < 0) throw new PermanentFailure("less than nothing");
      return { sum: left + 1 };
    });
    host.job(steps, async (_input, begun) => {
      run = begun;
      await gate.promise;
    });
  });
  const env = { COMMANDCENTER_KEY: (await Deno.readTextFile(kernel.adminKeyFile)).trim() };
  const args = ["--url", kernel.url];
  await work({
    kernel,
    args,
    env,
    cli: (...words) => runCli(["jobs", ...words, ...args], { env }),
    run: () => run,
    finish: () => gate.resolve(),
  });
}

Deno.test("jobs on the command line: list, show, cancel, retry, delete", async () => {
  await withStage(async ({ kernel, cli }) => {
    expect(await cli("list")).toMatchObject({ code: 0, stdout: "", stderr: "No jobs found.\n" });
    const { id } = await kernel.host.enqueue(add, { left: 1 }, { project: "demo" });
    const failed = await kernel.host.enqueue(add, { left: -1 });
    const later = await kernel.host.enqueue(add, { left: 1 }, { delayMs: 60_000 });
    await kernel.reach(id, "completed");
    await kernel.reach(failed.id, "failed");
    const listed = await cli("list");
    expect(listed.stdout).toMatch(/^ID +NAME +STATE +PROGRESS +ATTEMPT +PROJECT +CREATED +MESSAGE\n/);
    expect(listed.stdout).toMatch(new RegExp(`\n${id}  test\\.add  completed +100% +1  demo`));
    expect(listed.stdout).toContain("less than nothing");
    const json = await cli("list", "--state", "failed", "--since", "1h", "--limit", "5", "--json");
    expect(JSON.parse(json.stdout)).toMatchObject({ id: failed.id, state: "failed" });
    const shown = await cli("show", id);
    expect(shown.stdout).toMatch(/\nstate +completed\n/);
    expect(shown.stdout).toMatch(/\ninput +{"left":1}\nresult +{"sum":2}\n$/);
    expect(await cli("cancel", later.id)).toMatchObject({ stdout: `The job ${later.id} is cancelled.\n` });
    expect(await cli("retry", later.id)).toMatchObject({ code: 0 });
    await kernel.reach(later.id, "completed");
    expect(await cli("delete", id)).toMatchObject({ code: 0, stdout: `The job ${id} is deleted.\n` });
    const gone = await cli("show", id);
    expect(gone).toMatchObject({ code: 1 });
    expect(gone.stderr).toContain("There is no job with the id");
    expect(await cli("list", "--state", "done")).toMatchObject({ code: 1 });
  });
});

Deno.test("a job is watched to its end, whose state is the exit status", async () => {
  await withStage(async ({ kernel, cli, args, env, run, finish }) => {
    const { id } = await kernel.host.enqueue(steps, null);
    await waitFor(run, { what: "the run" });
    await using watching = followCli(["jobs", "watch", id, "--json", ...args], env);
    await waitFor(() => watching.lines().length > 0, {
      what: "the state at the beginning",
      timeoutMs: 20_000,
    });
    run()!.progress(50, "half");
    await waitFor(() => watching.lines().some((line) => JSON.parse(line).message === "half"), {
      what: "progress",
    });
    finish();
    expect(await watching.exited()).toBe(0);
    expect(JSON.parse(watching.lines().at(-1)!)).toMatchObject({ id, state: "completed" });
    const failed = await kernel.host.enqueue(add, { left: -1 });
    const told = await cli("watch", failed.id);
    expect(told).toMatchObject({ code: 1 });
    expect(told.stdout).toMatch(/\nstate +failed\n/);
  });
});

Deno.test("all jobs are watched until Ctrl-C", async () => {
  await withStage(async ({ kernel, args, env }) => {
    await using watching = followCli(["jobs", "watch", ...args], env);
    await waitFor(async () => {
      const { id } = await kernel.host.enqueue(add, { left: 1 });
      await kernel.reach(id, "completed");
      return watching.lines().some((line) => line.includes(id) && line.includes("completed"));
    }, { what: "a job to be shown", timeoutMs: 20_000, pollMs: 100 });
    watching.signal("SIGINT");
    expect(await watching.exited()).toBe(0);
  });
});
