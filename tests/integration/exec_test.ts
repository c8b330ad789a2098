import { expect } from "expect";
import { z } from "zod";
import type { ExecLine } from "../../core/exec/exec.ts";
import { ExecError } from "../../core/exec/exec_error.ts";
import { definePlugin, type Host, type Plugin } from "../../core/plugin.ts";
import { startTestKernel } from "../support/test_kernel.ts";
import { waitFor } from "../support/wait_for.ts";

/** A plugin that may start `sh`, with its host, which changes when it is started again. */
function shellPlugin(): { plugin: Plugin; host: () => Host } {
  let host: Host | undefined;
  const plugin = definePlugin({
    name: "shell",
    summary: "Starts programs for a test",
    config: z.strictObject({}),
    prefixes: [],
    programs: ["sh"],
    start: (lent: Host) => void (host = lent),
  });
  return { plugin, host: () => host! };
}

/** Starts a program that does not listen, and resolves with its process id; `ended` tells how it went. */
async function startStubborn(host: Host): Promise<{ pid: number; ended: Promise<unknown> }> {
  let pid = 0;
  const onLine = ({ text }: ExecLine) => void (pid = Number(text));
  const script = "trap '' TERM; echo $$; while :; do sleep 0.05; done";
  const ended = host.exec("sh", ["-c", script], { onLine }).catch((error) => error);
  await waitFor(() => pid > 0, { what: "the program" });
  return { pid, ended };
}

function isThere(pid: number): boolean {
  try {
    return !/^State:\s+Z/m.test(Deno.readTextFileSync(`/proc/${pid}/status`));
  } catch {
    return false;
  }
}

Deno.test("a plugin starts the programs that it names, and no others", async () => {
  const { plugin, host } = shellPlugin();
  await using _kernel = await startTestKernel({ plugins: [plugin] });
  expect((await host().exec("sh", ["-c", "echo $1", "sh", "$HOME"])).stdout).toBe("$HOME\n");
  const error = await host().exec("cat", ["/etc/passwd"]).catch((error) => error);
  expect(error).toBeInstanceOf(ExecError);
  expect(error.message).toBe(
    'Cannot run "cat": the plugin "shell" does not name it among its programs in plugin.ts',
  );
});

Deno.test("nothing that a plugin started outlives it, nor the agent", async () => {
  const { plugin, host } = shellPlugin();
  await using kernel = await startTestKernel({ plugins: [plugin] });
  const first = await startStubborn(host());
  await kernel.stopPlugin("shell");
  expect(await first.ended).toMatchObject({ code: "stopping" });
  expect(isThere(first.pid)).toBe(false);
  await kernel.startPlugin("shell");
  const second = await startStubborn(host());
  await kernel.stop();
  expect(await second.ended).toMatchObject({ code: "stopping" });
  expect(isThere(second.pid)).toBe(false);
});
