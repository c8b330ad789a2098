import { expect } from "expect";
import { join } from "node:path";
import { followCli } from "../support/follow_cli.ts";
import { freePort } from "../support/free_port.ts";
import { startAgent } from "../support/run_agent.ts";
import { program, programArgs, repository, runCli } from "../support/run_cli.ts";
import { spawnChild } from "../support/spawn_child.ts";
import { waitFor } from "../support/wait_for.ts";

const config = { plugins: { "event-store": {} } };

/** A folder with a configuration that listens on `port`, gone after the test. */
async function withConfig(
  port: number,
  work: (file: string, folder: string) => Promise<void>,
): Promise<void> {
  const folder = await Deno.makeTempDir();
  try {
    const file = join(folder, "projects.yaml");
    await Deno.writeTextFile(file, JSON.stringify({ ...config, http: { port } }));
    await work(file, folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

Deno.test("start tells where it answers, where the key lies, and a first command that works", async () => {
  await withConfig(0, async (file, folder) => {
    await using agent = followCli(["start", "--config", file]);
    await waitFor(() => agent.lines().some((line) => line.startsWith("Stop")), { what: "the greeting" });
    const greeting = agent.lines().join("\n");
    expect(greeting).toMatch(/^Address +http:\/\/127\.0\.0\.1:\d+$/m);
    expect(greeting).toContain(join(folder, "data", "admin.key"));
    const [, command] = greeting.match(
      /^Try +(?:(?:npx -y deno@[\d.]+|deno) task )?\S*commandcenter (.+)$/m,
    )!;
    const tried = await new Deno.Command("sh", {
      args: ["-c", `exec "$PROGRAM" ${programArgs([]).join(" ")} ${command}`],
      env: { PROGRAM: program },
      cwd: repository,
    }).output();
    expect(new TextDecoder().decode(tried.stdout)).toMatch(/^subject +hub\.hub-\w+\.demo\.hello$/m);
    for (const line of agent.remarks().split("\n").filter((line) => line.startsWith("{"))) JSON.parse(line);
    agent.signal("SIGTERM");
    expect(await agent.exited()).toBe(0);
  });
});

for (const signal of ["SIGINT", "SIGTERM"] as const) {
  Deno.test(`${signal} ends an agent with open streams in order`, async () => {
    await using agent = await startAgent({ config });
    const stream = await agent.fetch("/api/events/sse");
    expect(stream.status).toBe(200);
    Deno.kill(agent.pid, signal);
    expect(await agent.exited()).toBe(0);
    expect(agent.output()).toContain(`"signal":"${signal}"`);
    await stream.body?.cancel().catch(() => {});
  });
}

/** A request that the agent has in hand, and waits for, when this resolves. */
async function slowRequest(url: string, key: string): Promise<Deno.TcpConn> {
  const { hostname, port } = new URL(url);
  const connection = await Deno.connect({ hostname, port: Number(port) });
  await connection.write(new TextEncoder().encode(
    `POST /api/events HTTP/1.1\r\nhost: ${hostname}:${port}\r\nauthorization: Bearer ${key}\r\n` +
      "content-type: application/json\r\ncontent-length: 1000\r\nexpect: 100-continue\r\n\r\n",
  ));
  const answer = new Uint8Array(1000);
  const length = await connection.read(answer) ?? 0;
  expect(new TextDecoder().decode(answer.subarray(0, length))).toMatch(/^HTTP\/1.1 100 Continue/);
  return connection;
}

Deno.test("a second signal ends an agent at once, one press of Ctrl-C that arrives twice does not", async () => {
  await using agent = await startAgent({ config });
  using _request = await slowRequest(agent.url, agent.adminKey);
  const pressedAt = performance.now();
  Deno.kill(agent.pid, "SIGINT");
  Deno.kill(agent.pid, "SIGINT");
  await waitFor(() => agent.output().includes('"signal":"SIGINT"'), { what: "the agent to begin to stop" });
  await waitFor(() => performance.now() - pressedAt > 500, { what: "the next press" });
  Deno.kill(agent.pid, "SIGINT");
  expect(await agent.exited()).toBe(130);
  expect(performance.now() - pressedAt).toBeLessThan(4000);
  expect(agent.output()).not.toContain('"message":"stopped"');
});

Deno.test("a request that never ends does not keep an agent from stopping in time", async () => {
  await using agent = await startAgent({ config });
  using _request = await slowRequest(agent.url, agent.adminKey);
  const toldAt = performance.now();
  expect(await agent.stop()).toBe(0);
  expect(performance.now() - toldAt).toBeLessThan(10_000);
});

Deno.test("an agent that waits for its database can be stopped", async () => {
  using silent = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  await withConfig(freePort(), async (file) => {
    const url = `postgres://hub@127.0.0.1:${silent.addr.port}/hub`;
    await Deno.writeTextFile(file, JSON.stringify({ ...config, storage: { url } }));
    await using agent = followCli(["start", "--config", file]);
    using _connection = await silent.accept();
    agent.signal("SIGTERM");
    expect(await agent.exited()).toBe(143);
    expect(agent.lines()).toEqual([]);
  });
});

Deno.test("an address in use is told by name, with the setting to change", async () => {
  await using agent = await startAgent({ config });
  await withConfig(Number(new URL(agent.url).port), async (file) => {
    const { code, stdout, stderr } = await runCli(["start", "--config", file]);
    expect({ code, stdout }).toEqual({ code: 1, stdout: "" });
    expect(stderr).toContain(
      `error: Cannot listen on ${agent.url.slice("http://".length)}: the address is in use`,
    );
    expect(stderr).toContain("http.port");
  });
});

Deno.test("a second agent on the same data folder is refused", async () => {
  await withConfig(freePort(), async (file, folder) => {
    await using agent = await startAgent({ config, dataDir: join(folder, "data") });
    const { code, stderr } = await runCli(["start", "--config", file]);
    expect(code).toBe(78);
    expect(stderr).toContain(`process ${agent.pid}`);
  });
});

Deno.test("an agent goes on although nobody reads its greeting", async () => {
  await withConfig(freePort(), async (file) => {
    const child = new Deno.Command(program, {
      args: programArgs(["start", "--config", file]),
      cwd: repository,
      stdout: "piped",
      stderr: "null",
    }).spawn();
    await child.stdout.cancel();
    await waitFor(async () => (await runCli(["status", "--config", file])).code === 0, { what: "the agent" });
    child.kill("SIGTERM");
    expect((await child.status).code).toBe(0);
  });
});

for (const fault of ["Promise.reject(error)", "queueMicrotask(() => { throw error })"]) {
  Deno.test(`an unexpected error is logged with its cause and stops the agent in order: ${fault}`, async () => {
    await withConfig(freePort(), async (file, folder) => {
      const faulty = join(folder, "faulty.ts");
      await Deno.writeTextFile(
        faulty,
        `const error = new Error("out of luck", { cause: new Error("bad cards") });
         setTimeout(() => { ${fault} }, 1500);
         await import(${JSON.stringify(new URL("../../core/main.ts", import.meta.url).href)});`,
      );
      const child = spawnChild(Deno.execPath(), {
        args: ["run", "-A", "--config", join(repository, "deno.json"), faulty, "start", "--config", file],
        cwd: folder,
        env: {},
      });
      expect((await child.exited).code).toBe(1);
      for (const text of ["out of luck", "bad cards", '"message":"stopped"']) {
        expect(child.output()).toContain(text);
      }
    });
  });
}

Deno.test("check sums up a good configuration, without its secrets", async () => {
  await withConfig(9123, async (file) => {
    const database = "postgres://somebody:very-secret@db.example.org/hub?password=hidden";
    await Deno.writeTextFile(file, JSON.stringify({ ...config, storage: { url: database } }));
    for (const words of [["check"], ["check", "--json"]]) {
      const { code, stdout } = await runCli([...words, "--config", file]);
      expect(code).toBe(0);
      expect(stdout).toContain("postgres://db.example.org/hub");
      expect(stdout).toContain("event-store");
      expect(stdout).not.toMatch(/very-secret|hidden|somebody/);
    }
  });
});
