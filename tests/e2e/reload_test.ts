import { expect } from "expect";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { findProgram } from "../../scripts/setup/run_program.ts";
import { followEvents } from "../support/follow_events.ts";
import { freePort } from "../support/free_port.ts";
import { type Agent, startAgent } from "../support/run_agent.ts";
import { program, programArgs, repository, runCli } from "../support/run_cli.ts";
import { spawnChild } from "../support/spawn_child.ts";
import { waitFor } from "../support/wait_for.ts";

/** Writes the agent's file anew with these plugins and sections. */
async function rewrite(agent: Agent, sections: Readonly<Record<string, object>>): Promise<void> {
  const before = JSON.parse(await Deno.readTextFile(agent.configFile));
  await Deno.writeTextFile(agent.configFile, JSON.stringify({ ...before, ...sections }, null, 2));
}

/** How often the agent has logged this message. */
function logged(agent: Agent, message: string): number {
  return agent.output().split(`"message":"${message}`).length - 1;
}

async function hangUp(agent: Agent, message: string): Promise<void> {
  const before = logged(agent, message);
  Deno.kill(agent.pid, "SIGHUP");
  await waitFor(() => logged(agent, message) > before, { what: `the agent to log "${message}"` });
}

async function publish(agent: Agent): Promise<number> {
  const answer = await agent.fetch("/api/events", {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ subject: "demo.said", payload: {} }),
  });
  return (await answer.json()).seq;
}

async function statusOf(agent: Agent, path: string): Promise<number> {
  const answer = await agent.fetch(path);
  await answer.body?.cancel();
  return answer.status;
}

Deno.test("streams of a plugin that has not changed stay open while others come, change and go", async () => {
  await using agent = await startAgent({ config: { plugins: { "event-store": {}, metrics: {} } } });
  await using follower = await followEvents(agent);
  const cli = (...words: string[]) => runCli([...words, "--config", agent.configFile]);
  await follower.reach(await publish(agent));

  await rewrite(agent, { plugins: { "event-store": {} } });
  expect(await cli("plan")).toMatchObject({ code: 0, stdout: "kept     event-store\nstopped  metrics\n" });
  expect(await statusOf(agent, "/metrics")).toBe(200); // so far it was only a plan
  await hangUp(agent, "reloaded");
  expect(await statusOf(agent, "/metrics")).toBe(503);
  await follower.reach(await publish(agent));

  await rewrite(agent, { plugins: { "event-store": {}, metrics: { host: false } } });
  expect(await cli("reload")).toMatchObject({ code: 0, stdout: "kept     event-store\nstarted  metrics\n" });
  expect(await statusOf(agent, "/metrics")).toBe(200);
  await rewrite(agent, { plugins: { "event-store": {}, metrics: {} } });
  const plan = { kept: ["event-store"], restarted: ["metrics"], started: [], stopped: [], needs_restart: [] };
  expect(JSON.parse((await cli("plan", "--json")).stdout)).toEqual(plan);
  expect(JSON.parse((await cli("reload", "--json")).stdout)).toEqual({ ...plan, failed: [] });
  await follower.reach(await publish(agent));
  expect([follower.ended, follower.problems]).toEqual([false, []]);
  // Nothing is lost or told twice across the three reloads, whose events stand in the log as well.
  expect(follower.sequences).toEqual(follower.sequences.map((_, index) => index + 1));
  expect(await agent.stop()).toBe(0);
});

Deno.test("a faulty file changes nothing, and is told as `check` tells it", async () => {
  await using agent = await startAgent({ config: { plugins: { "event-store": {} } } });
  const cli = (...words: string[]) => runCli([...words, "--config", agent.configFile]);
  await rewrite(agent, { plugins: { "event-store": { max_pending: "many" }, metrix: {} } });
  const checked = await cli("check");
  expect(checked.stderr.trimEnd().split("\n")).toHaveLength(2);
  for (const command of ["plan", "reload"]) {
    expect(await cli(command)).toEqual({ code: 78, stdout: "", stderr: checked.stderr });
  }
  expect(JSON.parse((await cli("plan", "--json")).stdout)).toEqual(
    JSON.parse((await cli("check", "--json")).stdout),
  );
  await hangUp(agent, "cannot reload");
  expect(agent.output()).toContain("plugins.metrix: unknown plugin");
  expect(await statusOf(agent, "/api/events")).toBe(200);
});

Deno.test("what only counts from the next start is named; where nobody answers, the old address is asked for", async () => {
  await using agent = await startAgent({ config: { plugins: {} } });
  const port = freePort();
  await rewrite(agent, { http: { port } });
  const words = ["plan", "--config", agent.configFile];
  expect(await runCli([...words, "--url", agent.url])).toMatchObject({
    code: 0,
    stdout: "needs restart  http.port\n",
  });
  const { code, stderr } = await runCli(words);
  expect(code).toBe(69);
  expect(stderr).toContain(`Cannot reach the agent at http://127.0.0.1:${port}`);
  expect(stderr).toContain("--url names its old address");
});

Deno.test({
  name: "systemd hears when a reload begins and when it is done",
  ignore: findProgram("systemd-notify").length === 0,
  async fn() {
    const folder = await Deno.makeTempDir();
    const socket = join(folder, "notify");
    const listener = fileURLToPath(new URL("../support/notify_listener.ts", import.meta.url));
    const systemd = spawnChild(Deno.execPath(), {
      args: ["run", "-A", "--unstable-net", listener, socket],
      cwd: folder,
    });
    try {
      await waitFor(() => systemd.output().includes("listening"), { what: "the socket of systemd" });
      await using agent = await startAgent({ config: { plugins: {} }, env: { NOTIFY_SOCKET: socket } });
      const states = () => systemd.output().split("\n").filter((line) => /^(READY|RELOADING)=1$/.test(line));
      await waitFor(() => states().length === 1, { what: "the agent to be ready" });
      for (const file of [{ plugins: { metrics: {} } }, { plugins: { metrix: {} } }]) {
        await rewrite(agent, file);
        Deno.kill(agent.pid, "SIGHUP");
        const before = states().length;
        await waitFor(() => states().length === before + 2, { what: "the reload" });
      }
      expect(states()).toEqual(["READY=1", "RELOADING=1", "READY=1", "RELOADING=1", "READY=1"]);
      expect(await agent.stop()).toBe(0);
    } finally {
      await systemd.stop({ signal: "SIGKILL", timeoutMs: 5_000 });
      await Deno.remove(folder, { recursive: true });
    }
  },
});

Deno.test({
  name: "an agent whose window is closed ends in order",
  ignore: Deno.build.os !== "linux", // `script` has other options elsewhere
  async fn() {
    const folder = await Deno.makeTempDir();
    const port = freePort();
    const file = join(folder, "projects.yaml");
    await Deno.writeTextFile(file, JSON.stringify({ http: { port }, plugins: {} }));
    const command = [program, ...programArgs(["start", "--config", file])].join(" ");
    const window = spawnChild("script", {
      args: ["-qec", `exec ${command}`, "/dev/null"],
      cwd: repository,
    });
    try {
      await waitFor(() => window.output().includes("Ctrl-C"), { what: "the greeting", timeoutMs: 30_000 });
    } finally {
      await window.stop({ signal: "SIGKILL", timeoutMs: 5_000 });
    }
    await waitFor(() => {
      try {
        Deno.listen({ hostname: "127.0.0.1", port }).close();
        return true;
      } catch {
        return false;
      }
    }, { what: "the port to be free", timeoutMs: 15_000 });
    await Deno.remove(folder, { recursive: true });
  },
});
