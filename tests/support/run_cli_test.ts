import { expect } from "expect";
import { startAgent } from "./run_agent.ts";
import { runCli } from "./run_cli.ts";
import { within } from "./wait_for.ts";

Deno.test("runCli gives the exit code and both outputs", async () => {
  const version = await runCli(["version"]);
  expect(version).toMatchObject({ code: 0, stdout: expect.stringMatching(/\d+\.\d+\.\d+/) });
  const wrong = await runCli(["no-such-command"]);
  expect(wrong).toMatchObject({ code: 2, stdout: "", stderr: expect.stringContaining("no-such-command") });
});

Deno.test("runCli ends a command that goes on for too long, and tells what it printed", async () => {
  await using agent = await startAgent({ config: { plugins: { "event-store": {} } } });
  const args = ["events", "follow", "--url", agent.url, "--key", agent.adminKey];
  const endless = runCli(args, { timeoutMs: 2_000 });
  await expect(within(endless, { what: "runCli to give up", timeoutMs: 10_000 })).rejects.toThrow(
    /Cannot run "commandcenter events follow/,
  );
});
