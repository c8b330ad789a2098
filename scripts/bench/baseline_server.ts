import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { repository } from "../../tests/support/run_cli.ts";
import { spawnChild } from "../../tests/support/spawn_child.ts";
import { waitFor } from "../../tests/support/wait_for.ts";

/** The baseline program in a process of its own. */
export interface BaselineServer extends AsyncDisposable {
  readonly url: string;
  readonly pid: number;
}

/** Starts the baseline program with a database in a temporary folder. */
export async function startBaselineServer(): Promise<BaselineServer> {
  const folder = await Deno.makeTempDir({ prefix: "commandcenter-bench-" });
  const program = fileURLToPath(new URL("./baseline_program.ts", import.meta.url));
  const child = spawnChild(Deno.execPath(), {
    args: ["run", "-A", program, join(folder, "baseline.db")],
    cwd: repository,
  });
  const urlIn = () => /^http:\S+$/m.exec(child.output())?.[0];
  const stop = async () => {
    await child.stop({ signal: "SIGKILL", timeoutMs: 5000 });
    await Deno.remove(folder, { recursive: true });
  };
  try {
    const url = await waitFor(() => !child.running || urlIn(), {
      what: "the baseline server",
      timeoutMs: 30_000,
    });
    if (url === true) throw new Error(`Cannot start "the baseline server": it printed:\n${child.output()}`);
    return { url, pid: child.pid, [Symbol.asyncDispose]: stop };
  } catch (error) {
    await stop();
    throw error;
  }
}
