import { expect } from "expect";
import { z } from "zod";
import { startJobKernel } from "../../tests/support/job_kernel.ts";
import { runCli } from "../../tests/support/run_cli.ts";
import { defineJob } from "../jobs/job.ts";

const add = defineJob("test.add", z.strictObject({ left: z.int() }));

Deno.test("schedules on the command line: create, list, show, run, disable, enable, delete", async () => {
  await using kernel = await startJobKernel((host) => host.job(add, ({ left }) => left));
  const env = { COMMANDCENTER_KEY: (await Deno.readTextFile(kernel.adminKeyFile)).trim() };
  const cli = (...words: string[]) => runCli(["schedules", ...words, "--url", kernel.url], { env });
  expect(await cli("list")).toMatchObject({ code: 0, stdout: "", stderr: "No schedules found.\n" });
  const input = '{"left":1}';
  const weekly = ["--weekly", "mon,fri", "--at", "08:30", "--timezone", "Europe/Berlin", "--missed", "once"];
  const made = await cli("create", "sum", "test.add", input, ...weekly, "--project", "demo", "--json");
  const schedule = JSON.parse(made.stdout);
  expect(schedule).toMatchObject({
    when: { kind: "weekly", days: ["mon", "fri"], at: "08:30" },
    timezone: "Europe/Berlin",
    missed: "once",
    project: "demo",
    input: { left: 1 },
  });
  const { id } = schedule;
  const again = await cli("create", "twin", "test.add", input, ...weekly, "--project", "demo");
  expect(again.stdout).toMatch(/\nwhen +weekly mon,fri 08:30 Europe\/Berlin\n/);
  expect(again.stderr).toContain(`"sum" (${id}) starts the same job within a minute of it`);
  const listed = await cli("list", "--job", "test.add");
  expect(listed.stdout).toMatch(/^ID +NAME +JOB +STATE +WHEN +NEXT +PROJECT\n/);
  expect(listed.stdout).toContain(id);
  const run = JSON.parse((await cli("run", id, "--json")).stdout);
  await kernel.reach(run.job_id, "completed");
  const shown = await cli("show", id);
  expect(shown.stdout).toMatch(/\nsucceeded +100%\n/);
  expect(shown.stdout).toMatch(new RegExp(`manual +completed +${run.job_id}\n$`));
  expect(await cli("disable", id)).toMatchObject({ stdout: `The schedule ${id} rests.\n` });
  expect((await cli("enable", id)).stdout).toMatch(/\nstate +active\n/);
  expect(await cli("delete", id)).toMatchObject({ stdout: `The schedule ${id} is deleted.\n` });
  expect((await cli("show", id)).stderr).toContain("There is no schedule with the id");
});

Deno.test("a schedule needs one kind of time, and those that want it a time of day", async () => {
  const cli = (...words: string[]) => runCli(["schedules", "create", "sum", "test.add", ...words]);
  for (
    const [words, told] of [
      [[], "give one of --once"],
      [["--daily", "08:00", "--hourly", "5"], "give one of --once"],
      [["--weekly", "mon"], "--at belongs to"],
      [["--daily", "08:00", "--at", "09:00"], "--at belongs to"],
      [["{no", "--daily", "08:00"], "it is no JSON"],
    ] as const
  ) {
    const { code, stderr } = await cli(...words);
    expect([words, code]).toEqual([words, 2]);
    expect(stderr).toContain(told);
  }
});
