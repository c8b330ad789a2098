import { expect } from "expect";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import { createDatabase } from "../support/postgres.ts";
import { followCli } from "../support/follow_cli.ts";
import { type Agent, startAgent } from "../support/run_agent.ts";
import { runCli } from "../support/run_cli.ts";
import { testWithPostgres } from "../support/test_with.ts";
import { waitFor } from "../support/wait_for.ts";

type Stored = Readonly<Record<string, unknown>> & { readonly seq: number };

const start = (storageUrl = "sqlite:", node = "here") =>
  startAgent({
    config: { node: { id: node }, storage: { url: storageUrl }, plugins: { "event-store": {} } },
  });

/** Runs a command with the admin key of that agent. */
const cli = (agent: Agent, ...args: string[]) =>
  runCli(["events", ...args, "--url", agent.url, "--json"], { env: { COMMANDCENTER_KEY: agent.adminKey } });

async function post(agent: Agent, path: string, body: unknown, type = "application/json"): Promise<void> {
  const response = await agent.fetch(path, {
    method: "POST",
    headers: { "content-type": type, traceparent: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01" },
    body: JSON.stringify(body),
  });
  const answer = await response.json();
  if (!response.ok) throw new Error(`Cannot publish: ${JSON.stringify(answer)}`);
}

/** Events of every kind that the API can store. */
async function fill(agent: Agent, batches = 3): Promise<void> {
  await post(agent, "/api/events", {
    subject: "hub.global.demo.said",
    payload: {
      text: 'ü 🎈 "quoted" \n \u2028',
      nested: { list: [1, null, { a: [] }], number: 1.5e-7 },
      "__proto__": { a: 1 },
    },
    project: "demo",
    id: "stats",
    causation_id: "some:cause",
  });
  await post(agent, "/api/events", {
    specversion: "1.0",
    id: "ce-1",
    source: "https://example.com/shop?a=ü",
    type: "order.placed",
    time: "2001-02-03T04:05:06+02:00",
    subject: "demo",
    tracestate: "x=y",
    priority: 5,
    data: { total: 12 },
  }, "application/cloudevents+json");
  for (let batch = 0; batch < batches; batch++) {
    await post(
      agent,
      "/api/events/batch",
      Array.from({ length: 1000 }, (_, n) => ({ subject: `demo.made.n${n % 3}`, payload: { batch, n } })),
    );
  }
}

const linesOf = (text: string): Stored[] => text.trimEnd().split("\n").map((line) => JSON.parse(line));
const withoutSeq = (events: readonly Stored[]) => events.map(({ seq: _, ...rest }) => rest);

async function roundTrip(storageUrls: readonly string[]): Promise<void> {
  const folder = await Deno.makeTempDir();
  try {
    await using source = await start(storageUrls[0]);
    await using target = await start(storageUrls[1], "there");
    await fill(source);
    const plain = join(folder, "log.ndjson");
    const packed = join(folder, "log.ndjson.gz");
    expect(await cli(source, "export", plain)).toMatchObject({
      code: 0,
      stdout: expect.stringContaining('"events":3002'),
    });
    expect(await cli(source, "export", packed)).toMatchObject({ code: 0 });
    const text = await Deno.readTextFile(plain);
    expect(gunzipSync(await Deno.readFile(packed)).toString()).toBe(text);
    const events = linesOf(text);
    expect(events).toHaveLength(3002);
    expect(events[0]).toMatchObject({ traceparent: expect.stringMatching(/^00-/), id: "stats" });
    expect(events[1]).toMatchObject({
      timestamp: "2001-02-03T02:05:06.000Z",
      attributes: { priority: "5", source: "https://example.com/shop?a=ü", tracestate: "x=y" },
    });
    expect((await cli(source, "export")).stdout.trimEnd().split("\n").map((line) => JSON.parse(line)))
      .toEqual(events);

    await post(target, "/api/events", { subject: "demo.own", payload: {} }); // its sequences differ from now on
    const first = await cli(target, "import", packed);
    expect([first.code, JSON.parse(first.stdout)]).toEqual([0, { events: 3002, new: 3002, duplicates: 0 }]);
    const again = await cli(target, "import", plain);
    expect([again.code, JSON.parse(again.stdout)]).toEqual([0, { events: 3002, new: 0, duplicates: 3002 }]);
    const home = await cli(source, "import", plain);
    expect(JSON.parse(home.stdout)).toEqual({ events: 3002, new: 0, duplicates: 3002 });

    const copied = linesOf((await cli(target, "export", "--origin", "here")).stdout);
    expect(withoutSeq(copied)).toEqual(withoutSeq(events));
    expect(copied.map(({ seq }) => seq)).toEqual(events.map(({ seq }) => seq + 1));
    const stats = await (await target.fetch("/api/events/stats")).json();
    expect([stats.events, stats.relay.parked]).toEqual([3003, 0]);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

Deno.test("what an export holds, an import brings back exactly, and only once (sqlite)", () =>
  roundTrip(["sqlite:", "sqlite:"]));

testWithPostgres(
  "what an export holds, an import brings back exactly, and only once (postgres)",
  async () => {
    await using one = await createDatabase();
    await using other = await createDatabase();
    await roundTrip([one.url, other.url]);
  },
);

Deno.test("an export that was killed goes on where it was, plain and compressed", async () => {
  const folder = await Deno.makeTempDir();
  try {
    await using agent = await start();
    await fill(agent, 25);
    const whole = (await cli(agent, "export")).stdout;
    const env = { COMMANDCENTER_KEY: agent.adminKey };
    for (const name of ["log.ndjson", "log.gz"]) {
      const path = join(folder, name);
      const sizeOf = async () => (await Deno.stat(path).catch(() => undefined))?.size ?? 0;
      for (let kill = 0; kill < 3; kill++) {
        const before = await sizeOf();
        await using running = followCli(["events", "export", path, "--resume", "--url", agent.url], env);
        await waitFor(async () => await sizeOf() > before, { what: "the file to grow", pollMs: 1 });
        running.signal("SIGKILL");
        await running.exited();
      }
      const bytes = await Deno.readFile(path);
      await Deno.writeFile(path, bytes.subarray(0, bytes.length - 7)); // the kill came in the middle of a line
      expect(await cli(agent, "export", path, "--resume")).toMatchObject({ code: 0 });
      const file = await Deno.readFile(path);
      const text = name.endsWith(".gz") ? gunzipSync(file).toString() : new TextDecoder().decode(file);
      expect(linesOf(text)).toEqual(linesOf(whole));
    }
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("faulty lines are named by their numbers; what came before is in, and a mended file goes on", async () => {
  const folder = await Deno.makeTempDir();
  try {
    await using source = await start();
    await fill(source, 2);
    const path = join(folder, "log.ndjson");
    await cli(source, "export", path);
    const lines = (await Deno.readTextFile(path)).split("\n");
    const broken = ["", ...lines.with(1500, "{").with(1700, lines[1700]!.replace("hub.here", "hub.there"))]
      .join("\n");
    await Deno.writeTextFile(path, broken);
    await using target = await start("sqlite:", "there");
    const refused = await cli(target, "import", path);
    expect(refused).toMatchObject({ code: 1, stdout: "" });
    expect(refused.stderr).toContain("1,000 events are in.");
    expect(refused.stderr).toContain(`Cannot import line 1502 of ${path}: Malformed JSON`);
    expect(refused.stderr).toContain("There is a fault in these lines too: 1702.");
    await Deno.writeTextFile(path, lines.join("\n"));
    const { stdout } = await runCli(["events", "import", "-", "--url", target.url, "--json"], {
      env: { COMMANDCENTER_KEY: target.adminKey },
      stdin: await Deno.readTextFile(path),
    });
    expect(JSON.parse(stdout)).toEqual({ events: 2002, new: 1002, duplicates: 1000 });
    expect(await cli(target, "import", join(folder, "none"))).toMatchObject({
      code: 1,
      stderr: expect.stringContaining("Cannot read"),
    });
    expect(await cli(target, "export", "--resume")).toMatchObject({ code: 2 });
    expect(await cli(target, "export", path)).toMatchObject({
      code: 2,
      stderr: expect.stringContaining("is there already"),
    });
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("an import that was killed, or whose agent was, is completed by running it again", async () => {
  const folder = await Deno.makeTempDir();
  try {
    await using source = await start();
    await fill(source, 12);
    const path = join(folder, "log.gz");
    await cli(source, "export", path);
    await using target = await start("sqlite:", "there");
    const stored = async () => (await (await target.fetch("/api/events/stats")).json()).events as number;
    const env = { COMMANDCENTER_KEY: target.adminKey };
    await using running = followCli(["events", "import", path, "--url", target.url], env);
    await waitFor(async () => await stored() > 0, { what: "the first events", pollMs: 1 });
    running.signal("SIGKILL");
    await running.exited();
    const before = await stored();
    await using second = followCli(["events", "import", path, "--url", target.url], env);
    await waitFor(async () => await stored() > before, { what: "more events", pollMs: 1 });
    await target.kill();
    await second.exited();
    await target.restart();
    const interrupted = await stored();
    expect(interrupted % 1000 === 0 || interrupted === 12_002).toBe(true); // whole batches, whatever was killed when
    const last = await cli(target, "import", path);
    expect(JSON.parse(last.stdout)).toMatchObject({ events: 12_002, duplicates: interrupted });
    const copied = linesOf((await cli(target, "export")).stdout);
    expect(withoutSeq(copied)).toEqual(withoutSeq(linesOf((await cli(source, "export")).stdout)));
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
