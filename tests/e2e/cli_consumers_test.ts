import { expect } from "expect";
import { followCli } from "../support/follow_cli.ts";
import { startAgent } from "../support/run_agent.ts";
import { type CliResult, runCli } from "../support/run_cli.ts";
import { waitFor } from "../support/wait_for.ts";

const config = { plugins: { "event-store": {} }, projects: [] };

function jsonLines(result: CliResult): Record<string, unknown>[] {
  expect({ code: result.code, stderr: result.stderr }).toMatchObject({ code: 0 });
  return result.stdout.split("\n").filter((line) => line !== "").map((line) => JSON.parse(line));
}

Deno.test("consumers on the command line: create, fetch, answer, dead letters, replay, pause", async () => {
  await using agent = await startAgent({ config });
  const local = ["--config", agent.configFile];
  const cli = (...words: string[]) => runCli(["consumers", ...words, ...local]);
  for (const text of ["one", "two", "three"]) {
    await runCli(["events", "publish", "demo.said", JSON.stringify({ text }), ...local]);
  }
  const made = await cli(
    "create",
    "billing",
    "demo.>",
    "--start",
    "seq:1",
    "--max-deliveries",
    "1",
    "--description",
    "bills",
  );
  expect(made).toMatchObject({ code: 0 });
  expect(made.stdout).toMatch(/^name +billing\nsubject +hub\.\*\.demo\.>\n/);
  expect(made.stdout).toMatch(/\nstart +\{"seq":1\}\n/);

  const [first, second, third] = jsonLines(await cli("fetch", "billing")) as {
    token: string;
    event: object;
  }[];
  expect(first!.event).toMatchObject({ seq: 1, payload: { text: "one" } });
  expect(await cli("fetch", "billing", "--limit", "5")).toMatchObject({
    code: 0,
    stdout: "",
    stderr: "Nothing for billing at the moment.\n",
  });
  expect(await cli("ack", "billing", first!.token, second!.token)).toMatchObject({
    code: 0,
    stdout: "Acknowledged 2 of 2.\n",
  });
  expect(await cli("ack", "billing", first!.token)).toMatchObject({
    code: 1,
    stdout: "Acknowledged 0 of 1.\n",
  });
  expect(await cli("nak", "billing", third!.token, "--error", "no paper")).toMatchObject({
    code: 0,
    stdout: "Gave back 1 of 1.\n",
  });
  expect((await cli("dead-letters", "billing")).stdout).toMatch(
    /\n +3 .* max_deliveries +1 +hub\.\S+ +no paper\n$/,
  );
  const table = (await cli("list")).stdout.split("\n");
  expect(table[0]).toMatch(/^NAME +SUBJECT +OWNER +POSITION +LAG +IN FLIGHT +WAITING +DEAD +STATE$/);
  expect(table[1]).toMatch(/^billing +hub\.\*\.demo\.> +3 +0 +0 +0 +1 +active$/);
  expect(await cli("replay", "billing")).toMatchObject({ stdout: "Replayed 1; 0 dead letters are left.\n" });
  expect(jsonLines(await cli("show", "billing", "--json"))).toMatchObject([{ waiting: 1, dead_letters: 0 }]);
  expect((await cli("pause", "billing")).stdout).toMatch(/\npaused +true\n/);
  expect((await cli("resume", "billing")).stdout).toMatch(/\npaused +false\n/);
  expect(jsonLines(await cli("fetch", "billing", "--ack"))).toMatchObject([{
    attempt: 1,
    event: { seq: 3 },
  }]);
  expect(jsonLines(await cli("show", "billing", "--json"))).toMatchObject([{ waiting: 0, in_flight: 0 }]);
});

Deno.test("what consumers cannot do is said, with an exit status; a deleted one is gone", async () => {
  await using agent = await startAgent({ config });
  const cli = (...words: string[]) => runCli(["consumers", ...words, "--config", agent.configFile]);
  await cli("create", "billing", "demo.>", "--start", "first");
  expect(await cli("create", "x", "demo.>", "--start", "soon")).toMatchObject({ code: 2 });
  const restarted = await cli("create", "billing", "demo.>", "--start", "new");
  expect(restarted).toMatchObject({
    code: 1,
    stderr: expect.stringContaining('"billing" started at "first"'),
  });
  expect(await cli("replay", "billing", "x")).toMatchObject({
    code: 2,
    stderr: expect.stringContaining('Cannot replay "x": a sequence is a whole number'),
  });
  expect(await cli("delete", "billing")).toMatchObject({ code: 0, stdout: "Deleted billing.\n" });
  expect(await cli("show", "billing")).toMatchObject({
    code: 1,
    stderr: expect.stringContaining('There is no consumer "billing"'),
  });
});

Deno.test("consumers fetch --follow --ack prints what comes, once, until Ctrl-C", async () => {
  await using agent = await startAgent({ config });
  const local = ["--config", agent.configFile];
  await runCli(["consumers", "create", "c", "demo.>", ...local]);
  await using following = followCli(["consumers", "fetch", "c", "--follow", "--ack", ...local]);
  for (let n = 1; n <= 3; n++) {
    await agent.fetch("/api/events", {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ subject: "demo.counted", payload: { n } }),
    }).then((response) => response.body?.cancel());
    await waitFor(() => following.lines().length === n, { what: `event ${n}` });
  }
  expect(following.lines().map((line) => JSON.parse(line).event.payload.n)).toEqual([1, 2, 3]);
  following.signal("SIGINT");
  expect(await following.exited()).toBe(0);
});

Deno.test("consumers fetch --follow --ack goes on when the agent was away", async () => {
  await using agent = await startAgent({ config });
  const local = ["--config", agent.configFile];
  await runCli(["consumers", "create", "c", "demo.>", "--ack-wait", "1s", ...local]);
  await using following = followCli(["consumers", "fetch", "c", "--follow", "--ack", ...local]);
  const publish = (n: number) => runCli(["events", "publish", "demo.counted", `{"n":${n}}`, ...local]);
  await publish(1);
  await waitFor(() => following.lines().length === 1, { what: "event 1" });
  await agent.kill();
  await waitFor(() => following.remarks().includes("Trying again"), { what: "the loss to be told" });
  await agent.restart();
  await publish(2);
  const numbers = () => following.lines().map((line) => JSON.parse(line).event.payload.n);
  await waitFor(() => numbers().includes(2), { what: "event 2", timeoutMs: 30_000 });
  expect(numbers()[0]).toBe(1);
  following.signal("SIGINT");
  expect(await following.exited()).toBe(0);
});
