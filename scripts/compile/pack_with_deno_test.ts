import { expect } from "expect";
import { join } from "node:path";
import { freePort } from "../../tests/support/free_port.ts";
import { spawnChild } from "../../tests/support/spawn_child.ts";
import { waitFor } from "../../tests/support/wait_for.ts";
import { repository } from "../setup/tools_folder.ts";
import { bundleProgram } from "./bundle_program.ts";
import { denoFlags } from "./pack_with_deno.ts";

Deno.test("the bundle works with the permissions that it is packed with, and asks for no others", async () => {
  const folder = await Deno.makeTempDir();
  const build = { commit: "abc", time: null };
  const bundle = join(folder, "bundle.mjs");
  await Deno.writeTextFile(bundle, await bundleProgram(repository, { build, folder }));
  const url = `http://127.0.0.1:${freePort()}`;
  const config = { http: { port: Number(new URL(url).port) }, plugins: { "event-store": {}, metrics: {} } };
  await Deno.writeTextFile(join(folder, "projects.yaml"), JSON.stringify(config));
  const agent = spawnChild(Deno.execPath(), { args: ["run", ...denoFlags, bundle, "start"], cwd: folder });
  try {
    await waitFor(async () => {
      const answer = await fetch(`${url}/health/ready`);
      await answer.body?.cancel();
      return answer.ok;
    }, { what: "the agent to be ready", timeoutMs: 30_000 });
    const metrics = await (await fetch(`${url}/metrics`)).text();
    expect(metrics).toContain("commandcenter_process_resident_memory_bytes");
    expect(metrics).not.toMatch(/^commandcenter_process_open_fds/m); // /proc takes all permissions
    expect((await agent.stop({ signal: "SIGTERM", timeoutMs: 15_000 })).code).toBe(0);
    expect(agent.output()).not.toContain('"level":"error"');
  } finally {
    if (agent.running) await agent.stop({ signal: "SIGKILL", timeoutMs: 5_000 });
    await Deno.remove(folder, { recursive: true });
  }
});
