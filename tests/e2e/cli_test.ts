import { expect } from "expect";
import { startAgent } from "../support/run_agent.ts";
import { followCli } from "../support/follow_cli.ts";
import { startPostgres } from "../support/postgres.ts";
import { type CliResult, program, programArgs, repository, runCli } from "../support/run_cli.ts";
import { testWithOwnPostgres } from "../support/test_with.ts";
import { waitFor } from "../support/wait_for.ts";

const config = { plugins: { "event-store": {}, metrics: {} }, projects: [] };

function json(result: CliResult): Record<string, unknown> {
  expect({ code: result.code, stderr: result.stderr }).toMatchObject({ code: 0 });
  return JSON.parse(result.stdout);
}

function jsonLines(result: CliResult): Record<string, unknown>[] {
  expect({ code: result.code, stderr: result.stderr }).toMatchObject({ code: 0 });
  return result.stdout.split("\n").filter((line) => line !== "").map((line) => JSON.parse(line));
}

Deno.test("events are published and found with the key that the command line finds by itself", async () => {
  await using agent = await startAgent({ config });
  const local = ["--config", agent.configFile];
  const published = json(
    await runCli([
      "events",
      "publish",
      "demo.hello",
      '{"text":"hello"}',
      "--correlation-id",
      "abc",
      "--json",
      ...local,
    ]),
  );
  expect(published).toMatchObject({ seq: 1, correlation_id: "abc" });
  expect(published.subject).toMatch(/^hub\.hub-[0-9a-f]{12}\.demo\.hello$/);

  const piped = await runCli(["events", "publish", "demo.piped", "-", ...local], {
    stdin: `${JSON.stringify({ text: "\u001b[31m\u009b" })}\n`,
  });
  expect(piped).toMatchObject({ code: 0 });
  expect(piped.stdout).toMatch(/^event_id +\S+\nseq +2\nsubject +hub\.\S+\.demo\.piped\n/);

  const table = await runCli(["events", "query", "--order", "desc", ...local]);
  const [title, second, first] = table.stdout.split("\n");
  expect(title).toMatch(/^ *SEQ +TIME +SUBJECT +PROJECT +CORRELATION +PAYLOAD$/);
  expect(second).toContain('{"text":"\\u001b[31m\\u009b"}');
  expect(first).toMatch(/^ +1 .* abc +\{"text":"hello"\}$/);

  const found = jsonLines(
    await runCli(["events", "query", "--subject", "hub.*.demo.piped", "--json", ...local]),
  );
  expect(found.map((event) => event.payload)).toEqual([{ text: "\u001b[31m\u009b" }]);
  expect(found[0]).toMatchObject({ origin: { service: "api" } });

  const none = await runCli(["events", "query", "--since", "1m", "--until", "30s", ...local]);
  expect(none).toMatchObject({ code: 0, stdout: "" });
  expect(none.stderr).toContain("No events found.");

  expect(json(await runCli(["events", "stats", "--json", ...local]))).toMatchObject({
    events: 2,
    last_seq: 2,
  });
  expect((await runCli(["events", "stats", ...local])).stdout).toMatch(/^relay\.lag +\d+$/m);
});

Deno.test("a payload comes from a pipe where none is given, and is an empty object behind nothing", async () => {
  await using agent = await startAgent({ config });
  const local = ["--config", agent.configFile];
  await runCli(["events", "publish", "demo.piped", ...local], { stdin: '{"n":1}' });
  await runCli(["events", "publish", "demo.piped", ...local], { stdin: "" });
  const found = jsonLines(await runCli(["events", "query", "--json", ...local]));
  expect(found.map((event) => event.payload)).toEqual([{ n: 1 }, {}]);
});

Deno.test("the same id again is told as a duplicate, another content or sequence is refused", async () => {
  await using agent = await startAgent({ config });
  const publish = (...words: string[]) =>
    runCli(["events", "publish", "demo.once", ...words, "--json", "--config", agent.configFile]);
  json(await publish('{"n":1}', "--id", "once-1"));
  expect(json(await publish('{"n":1}', "--id", "once-1"))).toMatchObject({ seq: 1, duplicate: true });
  for (const words of [['{"n":2}', "--id", "once-1"], ["{}", "--expected-seq", "7"]]) {
    const { code, stdout, stderr } = await publish(...words);
    expect({ code, stdout }).toEqual({ code: 1, stdout: "" });
    expect(stderr).toMatch(/^error: .+\n {2}correlation id: \S+$/m);
  }
});

Deno.test("a query larger than a page goes through all pages", async () => {
  await using agent = await startAgent({ config });
  const publish = async (n: number) => {
    const body = JSON.stringify({ subject: "demo.counted", payload: { n } });
    const headers = { "content-type": "application/json" };
    const answer = await agent.fetch("/api/events", { method: "POST", body, headers });
    await answer.body?.cancel();
    expect(answer.status).toBe(201);
  };
  for (let start = 0; start < 1200; start += 100) {
    await Promise.all(Array.from({ length: 100 }, (_, index) => publish(start + index)));
  }
  const local = ["--json", "--config", agent.configFile];
  const seqs = async (...words: string[]) =>
    jsonLines(await runCli(["events", "query", ...words, ...local])).map((event) => event.seq);
  const upTo = (count: number) => Array.from({ length: count }, (_, index) => index + 1);
  expect(await seqs()).toEqual(upTo(100));
  expect(await seqs("--limit", "1100")).toEqual(upTo(1100));
  expect(await seqs("--all")).toEqual(upTo(1200));
  expect(await seqs("--all", "--after-seq", "1195", "--order", "desc")).toEqual([
    1200,
    1199,
    1198,
    1197,
    1196,
  ]);
});

Deno.test("follow prints what comes, over the death of the agent, without gap and duplicate", async () => {
  await using agent = await startAgent({ config });
  const local = ["--config", agent.configFile];
  const publish = (n: number) => runCli(["events", "publish", "demo.tick", JSON.stringify({ n }), ...local]);
  await publish(0); // before it follows: not to be seen
  await using follow = followCli(["events", "follow", "--subject", "hub.*.demo.>", "--json", ...local]);
  await using compact = followCli(["events", "follow", "--after-seq", "0", ...local]);
  await waitFor(() => compact.lines().length === 1, { what: "the first event" });
  await waitFor(async () => {
    const stats = json(await runCli(["events", "stats", "--json", ...local]));
    return stats.stream_clients === 2;
  }, { what: "both to follow" });
  await publish(1);
  await waitFor(() => follow.lines().length === 1, { what: "the first followed event" });

  await agent.kill();
  await waitFor(() => /Connection lost: .+\. Trying again in /.test(follow.remarks()), {
    what: "the loss to be told",
  });
  await agent.restart();
  await publish(2);
  await publish(3);
  const numbers = () => follow.lines().map((line) => JSON.parse(line).payload.n);
  await waitFor(() => numbers().includes(3), { what: "the events after the restart", timeoutMs: 20_000 });
  expect(numbers()).toEqual([1, 2, 3]);
  expect(follow.remarks()).toContain("Connected again, going on after event 2.");
  await waitFor(() => compact.lines().length === 4, { what: "the other follower", timeoutMs: 20_000 });
  expect(compact.lines()[3]).toMatch(/^4 {2}\d{4}-\d\d-\d\dT\S+Z {2}hub\.\S+\.demo\.tick {2}\{"n":3\}$/);

  follow.signal("SIGINT");
  expect(await follow.exited()).toBe(0);
  compact.signal("SIGTERM");
  expect(await compact.exited()).toBe(0);
});

Deno.test("follow begins where --since says", async () => {
  await using agent = await startAgent({ config });
  const local = ["--config", agent.configFile];
  for (const n of [1, 2]) await runCli(["events", "publish", "demo.tick", JSON.stringify({ n }), ...local]);
  const [, second] = jsonLines(await runCli(["events", "query", "--json", ...local]));
  await using all = followCli(["events", "follow", "--since", "1h", ...local]);
  await using late = followCli(["events", "follow", "--since", String(second!.timestamp), ...local]);
  await waitFor(() => all.lines().length === 2 && late.lines().length === 1, { what: "what has been" });
  expect(late.lines()[0]).toContain('{"n":2}');
});

Deno.test("keys are made, listed, used and revoked", async () => {
  await using agent = await startAgent({ config });
  const local = ["--config", agent.configFile];
  const made = await runCli([
    "keys",
    "create",
    "reader",
    "--scope",
    "read",
    "--expires",
    "30d",
    "--json",
    ...local,
  ]);
  const { id, key, scopes } = json(made);
  expect(scopes).toEqual(["read"]);
  const withKey = { env: { COMMANDCENTER_KEY: String(key), COMMANDCENTER_URL: agent.url } };
  expect(await runCli(["events", "query"], withKey)).toMatchObject({ code: 0 });

  const denied = await runCli(["events", "publish", "demo.hello", "{}"], withKey);
  expect(denied).toMatchObject({ code: 77, stdout: "" });
  expect(denied.stderr).toMatch(/^error: .+\n {2}Is the key right, .+\n {2}correlation id: \S+$/m);

  const list = await runCli(["keys", "list", ...local]);
  expect(list.stdout).toMatch(new RegExp(`^${id} +reader +read +all +`, "m"));
  expect(list.stdout).not.toContain(String(key));

  expect(await runCli(["keys", "revoke", String(id), ...local])).toMatchObject({
    code: 0,
    stdout: `Revoked ${id}.\n`,
  });
  expect(await runCli(["events", "query"], withKey)).toMatchObject({ code: 77 });
  expect(await runCli(["keys", "revoke", "0000000000000000", ...local])).toMatchObject({ code: 1 });
});

Deno.test("without any key the refusal says where one was looked for", async () => {
  await using agent = await startAgent({ config });
  const folder = await Deno.makeTempDir();
  try {
    await Deno.writeTextFile(`${folder}/projects.yaml`, "{}");
    const { code, stderr } = await runCli(
      ["events", "query", "--url", agent.url, "--config", `${folder}/projects.yaml`],
    );
    expect(code).toBe(77);
    expect(stderr).toContain(`No key at ${folder}/data/admin.key (no such file)`);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("check tells what is wrong, to scripts as JSON", async () => {
  const folder = await Deno.makeTempDir();
  try {
    const file = `${folder}/projects.yaml`;
    const local = ["--config", file];
    await Deno.writeTextFile(file, "http: { port: x }\nplugin: {}\n");
    const plain = await runCli(["check", ...local]);
    expect(plain).toMatchObject({ code: 78, stdout: "" });
    const faults = plain.stderr.trimEnd().split("\n");
    expect(faults).toHaveLength(3);
    expect(faults[1]).toContain(":1:15 http.port: expected a number, got text");

    const scripted = await runCli(["check", "--json", ...local]);
    expect(scripted).toMatchObject({ code: 78, stderr: "" });
    expect(JSON.parse(scripted.stdout)).toEqual({ ok: false, faults });

    await Deno.writeTextFile(file, "plugins: { event-store: {} }\n");
    expect(json(await runCli(["check", "--json", ...local]))).toMatchObject({ ok: true });
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("status shows the agent and its checks, without a key", async () => {
  await using agent = await startAgent({ config });
  const { code, stdout } = await runCli(["status", "--url", agent.url]);
  expect(code).toBe(0);
  expect(stdout).toMatch(/^status +healthy$/m);
  expect(stdout).toMatch(/^CHECK +STATUS +REQUIRED +LATENCY +MESSAGE$/m);
  expect(stdout).toMatch(/^storage +up +yes +[\d.]+ ms$/m);
  expect(json(await runCli(["status", "--json", "--url", agent.url]))).toMatchObject({ status: "healthy" });
});

/** What the command prints when its output is a terminal. */
async function onTerminal(words: readonly string[], env: Record<string, string>): Promise<string> {
  const { stdout } = await new Deno.Command("script", {
    args: ["-qec", [program, ...programArgs(words)].join(" "), "/dev/null"],
    cwd: repository,
    env: { TERM: "xterm", NO_COLOR: "", ...env },
    stdin: "null",
  }).output();
  return new TextDecoder().decode(stdout);
}

Deno.test({
  name: "colours are for terminals, unless NO_COLOR or TERM=dumb says otherwise",
  ignore: Deno.build.os !== "linux", // `script` has other options elsewhere
  fn: async () => {
    await using agent = await startAgent({ config });
    const words = ["status", "--url", agent.url];
    expect(await onTerminal(words, {})).toContain("\u001b[32mhealthy\u001b[39m");
    for (const [name, value] of [["NO_COLOR", "1"], ["TERM", "dumb"]] as const) {
      const plain = await onTerminal(words, { [name]: value });
      expect(plain).toMatch(/^status +healthy\s*$/m);
      expect(plain).not.toContain("\u001b[3");
    }
    const piped = await runCli(words, { env: { FORCE_COLOR: "1" } });
    expect(piped.stdout).not.toContain("\u001b");
  },
});

testWithOwnPostgres("status of an agent without its database is exit status 1", async () => {
  await using server = await startPostgres();
  await using agent = await startAgent({ config: { ...config, storage: { url: server.url } } });
  const status = () => runCli(["status", "--url", agent.url]);
  expect(await status()).toMatchObject({ code: 0 });
  await server.stop({ mode: "immediate" });
  const down = await waitFor(async () => {
    const result = await status();
    return result.code !== 0 && result;
  }, { what: "the loss to be noticed" });
  expect(down.code).toBe(1);
  expect(down.stdout).toMatch(/^status +unhealthy$/m);
  expect(down.stdout).toMatch(/^storage +down +yes /m);
});
