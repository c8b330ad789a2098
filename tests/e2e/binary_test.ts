import { expect } from "expect";
import { symlink } from "node:fs/promises";
import { join } from "node:path";
import manifest from "../../deno.json" with { type: "json" };
import { toolsFolder } from "../../scripts/setup/tools_folder.ts";
import { copyRepository } from "../support/copy_repository.ts";
import { EmptyMachine } from "../support/empty_machine.ts";
import { startNatsServer } from "../support/nats_server.ts";
import { packedFrom, packProgram } from "../support/packed_program.ts";
import { createDatabase } from "../support/postgres.ts";
import { programVariable, repository } from "../support/run_cli.ts";
import { testWith } from "../support/test_with.ts";
import { waitFor } from "../support/wait_for.ts";

const plugins = { "event-store": {}, metrics: {} };
let packed: Promise<string> | undefined;

/** The packed program, built once for all tests here; it stays in `.tools`, where nothing else would miss it. */
function program(): Promise<string> {
  return packed ??= packProgram(repository, join(toolsFolder, "packed"));
}

async function digest(file: string): Promise<string> {
  const bytes = await crypto.subtle.digest("SHA-256", await Deno.readFile(file));
  return new Uint8Array(bytes).toHex();
}

Deno.test("the same sources give the same file, byte by byte, wherever they lie", async () => {
  const file = await program();
  await using copy = await copyRepository({ at: "elsewhere/and/deeper" });
  await Deno.mkdir(join(copy.path, ".tools"));
  await symlink(join(toolsFolder, "bin"), join(copy.path, ".tools", "bin")); // Bun, which is fetched already
  expect(await digest(await packProgram(copy.path, join(copy.path, "dist")))).toBe(await digest(file));
});

Deno.test("the file tells what it was built from", async () => {
  await using machine = await EmptyMachine.make(await program(), {});
  const { commit, time } = packedFrom;
  expect(await machine.run("--version")).toEqual({
    code: 0,
    stdout: `${manifest.version} (${commit}, ${time})\n`,
    stderr: "",
  });
  const json = JSON.parse((await machine.run("version", "--json")).stdout);
  expect(json).toMatchObject({ version: manifest.version, commit, built_at: time, platform: Deno.build.os });
});

/** What a user does on the first day, on a machine that has nothing but the file. */
async function firstDay(machine: EmptyMachine): Promise<void> {
  const works = async (...args: string[]) => {
    const { code, stdout, stderr } = await machine.run(...args);
    expect({ args, code, stderr }).toEqual({ args, code: 0, stderr });
    return stdout;
  };
  await works("check");
  const agent = await machine.startAgent();
  expect(agent.output()).toContain("events publish demo.hello");
  expect(await works("events", "publish", "demo.hello", '{"text":"stored"}')).toMatch(/^seq +1$/m);
  const follow = machine.begin("events", "follow", "--subject", "demo.>", "--after-seq", "0");
  await waitFor(() => follow.output().includes("stored"), { what: "the stored event" });
  await works("events", "publish", "demo.hello", '{"text":"alive"}');
  await waitFor(() => follow.output().includes("alive"), { what: "the live event" });
  expect((await follow.stop({ signal: "SIGINT", timeoutMs: 10_000 })).code).toBe(0);

  expect((await agent.stop({ signal: "SIGTERM", timeoutMs: 15_000 })).code).toBe(0);
  const again = await machine.startAgent();
  for (const text of ["stored", "alive"]) {
    expect(await works("events", "query", "--subject", "demo.>")).toContain(text);
  }
  await waitFor(async () => (await machine.run("status")).stdout.includes("healthy"), {
    what: "good health",
  });
  expect(await works("events", "verify")).toContain("intact");
  for (const list of [["jobs", "list"], ["schedules", "list"], ["consumers", "list"]]) await works(...list);
  expect(await works("plan")).toContain("event-store");
  await works("keys", "create", "website", "--scope", "write");
  expect(await works("keys", "list")).toContain("website");
  expect(await works("completion", "bash")).toContain("follow");
  expect((await again.stop({ signal: "SIGTERM", timeoutMs: 15_000 })).code).toBe(0);
}

Deno.test("it works in an empty folder, on SQLite", async () => {
  await using machine = await EmptyMachine.make(await program(), { plugins });
  await firstDay(machine);
});

testWith({
  needs: ["postgres", "nats"],
  name: "it works in an empty folder, on PostgreSQL and NATS",
  async run() {
    await using database = await createDatabase();
    await using nats = await startNatsServer();
    const config = { plugins, storage: { url: database.url }, bus: { url: nats.url } };
    await using machine = await EmptyMachine.make(await program(), config);
    await firstDay(machine);
  },
});

Deno.test("its assets and what only the system tells are there: reference, metrics, WebSocket", async () => {
  await using machine = await EmptyMachine.make(await program(), { plugins });
  const agent = await machine.startAgent();
  const text = async (path: string) => await (await machine.fetch(path)).text();
  expect(await text("/docs")).toContain("/docs/scalar.js");
  expect(await text("/docs/scalar.js")).toContain("Scalar");
  expect(JSON.parse(await text("/openapi.json")).openapi).toBe("3.1.0");
  const metrics = await text("/metrics");
  for (const name of ["process_resident_memory_bytes", "host_cpu_seconds_total", "events_appended_total"]) {
    expect(metrics).toContain(`commandcenter_${name}`);
  }
  if (Deno.build.os === "linux") expect(metrics).toMatch(/^commandcenter_process_open_fds [1-9]/m);

  const key = await Deno.readTextFile(join(machine.folder, "data", "admin.key"));
  const socket = new WebSocket(`${machine.url.replace("http", "ws")}/api/events/stream?after_seq=0`, {
    headers: { authorization: `Bearer ${key.trim()}` },
  });
  const messages: string[] = [];
  socket.onmessage = ({ data }) => messages.push(data);
  const closed = new Promise<CloseEvent>((resolve) => socket.onclose = resolve);
  await machine.run("events", "publish", "demo.hello", '{"text":"through the socket"}');
  await waitFor(() => messages.join("").includes("through the socket"), { what: "the event" });
  expect((await agent.stop({ signal: "SIGTERM", timeoutMs: 15_000 })).code).toBe(0);
  expect((await closed).code).toBe(1001);
});

Deno.test("what lies in the folder of a start is not obeyed", async () => {
  await using machine = await EmptyMachine.make(await program(), { plugins });
  await Deno.writeTextFile(join(machine.folder, ".env"), "COMMANDCENTER_CONFIG=/nonexistent.yaml\n");
  await Deno.writeTextFile(join(machine.folder, "bunfig.toml"), 'preload = ["./evil.js"]\n');
  await Deno.writeTextFile(join(machine.folder, "evil.js"), "process.exit(42);\n");
  await Deno.writeTextFile(join(machine.folder, "package.json"), "{ no JSON");
  expect(await machine.run("check")).toMatchObject({ code: 0, stderr: "" });
});

for (const file of ["faults_kill_test.ts", "faults_garbage_test.ts", "start_test.ts"]) {
  Deno.test(`what ${file} holds the sources to, it holds the packed program to`, async () => {
    const { success, stdout } = await new Deno.Command(Deno.execPath(), {
      args: ["test", "-A", "--no-check", join("tests", "e2e", file)],
      cwd: repository,
      env: { [programVariable]: await program(), NO_COLOR: "1" },
    }).output();
    if (!success) throw new Error(new TextDecoder().decode(stdout));
  });
}
