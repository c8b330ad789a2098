import { expect } from "expect";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { findProgram, runProgram } from "../../scripts/setup/run_program.ts";
import { startAgent } from "../support/run_agent.ts";
import { repository } from "../support/run_cli.ts";
import { spawnChild } from "../support/spawn_child.ts";
import { waitFor } from "../support/wait_for.ts";

const listener = fileURLToPath(new URL("../support/notify_listener.ts", import.meta.url));
const unit = join(repository, "config", "systemd", "commandcenter.service");

/** systemd is a part of most Linux systems, and of no other. */
const missing = (program: string) => findProgram(program).length === 0;

Deno.test({
  name: "systemd hears when the agent is ready, that it lives, and that it stops",
  ignore: missing("systemd-notify"),
  async fn() {
    const folder = await Deno.makeTempDir();
    const socket = join(folder, "notify");
    const systemd = spawnChild(Deno.execPath(), {
      args: ["run", "-A", "--unstable-net", listener, socket],
      cwd: folder,
    });
    try {
      await waitFor(() => systemd.output().includes("listening"), { what: "the socket of systemd" });
      await using agent = await startAgent({
        config: { plugins: {} },
        env: { NOTIFY_SOCKET: socket, WATCHDOG_USEC: "400000" },
      });
      const said = (text: string) => systemd.output().split("\n").filter((line) => line === text).length;
      await waitFor(() => said("WATCHDOG=1") >= 3, { what: "three beats for the watchdog" });
      expect([said("READY=1"), said(`STATUS=Answers at ${agent.url}`), said("STOPPING=1")]).toEqual([
        1,
        1,
        0,
      ]);
      expect(await agent.stop()).toBe(0);
      await waitFor(() => said("STOPPING=1") === 1, { what: "the agent to say that it stops" });
      expect(agent.output()).not.toContain("systemd could not be told");
    } finally {
      await systemd.stop({ signal: "SIGKILL", timeoutMs: 5_000 });
      await Deno.remove(folder, { recursive: true });
    }
  },
});

Deno.test("an agent goes on where systemd cannot be told", async () => {
  await using agent = await startAgent({
    config: { plugins: {} },
    env: { NOTIFY_SOCKET: "/nonexistent/notify" },
  });
  await waitFor(() => agent.output().includes("systemd could not be told"), { what: "the warning" });
  expect(await agent.stop()).toBe(0);
});

Deno.test({
  name: "the unit is well formed, and as closed as docs/operations.md says",
  ignore: missing("systemd-analyze"),
  async fn() {
    const folder = await Deno.makeTempDir();
    try {
      const text = await Deno.readTextFile(unit);
      const copy = join(folder, "commandcenter.service");
      await Deno.writeTextFile(copy, text.replace(/^ExecStart=\S+/m, `ExecStart=${Deno.execPath()}`));
      const analyze = (...args: string[]) => runProgram(["systemd-analyze", ...args], { timeoutMs: 30_000 });
      await analyze("verify", copy);
      const rating = await analyze("security", "--offline=true", "--no-pager", "--threshold=13", copy);
      const [, exposure] = /Overall exposure level for \S+: (\d+\.\d)/.exec(rating) ?? [];
      expect(await Deno.readTextFile(join(repository, "docs", "operations.md"))).toContain(
        `\`systemd-analyze security\` rates it ${exposure}`,
      );
    } finally {
      await Deno.remove(folder, { recursive: true });
    }
  },
});
