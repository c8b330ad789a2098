import { join } from "node:path";
import { freePort } from "../../tests/support/free_port.ts";
import { packProgram } from "../../tests/support/packed_program.ts";
import { programArgs, repository } from "../../tests/support/run_cli.ts";
import { type Child, spawnChild } from "../../tests/support/spawn_child.ts";
import { waitFor } from "../../tests/support/wait_for.ts";
import { toolsFolder } from "../setup/tools_folder.ts";
import type { Contest, Measurement, Row } from "./row.ts";

/** An agent that nobody asks anything settles within this. */
const settleMs = 2_000;

const baseline = "the same from its sources, with Deno";

/** From the start of the packed program to its first `200` on `/health/ready`, in a data folder that has been used. */
export const binaryRow: Row = {
  name: "binary",
  work: "the packed program (--with bun) from its start until it is ready, SQLite",
  baseline,
  unit: "ms",
  goal: { kind: "figure", below: 400 },
  open: () => openContest(({ readyMs }) => Promise.resolve(readyMs)),
};

/** What the packed program holds in RAM when nothing happens. */
export const binaryMemoryRow: Row = {
  name: "binary-memory",
  work: "resident memory of the packed program, ready and idle for 2 s, SQLite",
  baseline,
  unit: "MB",
  goal: { kind: "figure", below: 120 },
  missing: () => Deno.build.os === "linux" ? undefined : "only Linux tells the memory of another process",
  open: () =>
    openContest(async ({ pid }) => {
      await new Promise((resolve) => setTimeout(resolve, settleMs));
      return residentBytes(await Deno.readTextFile(`/proc/${pid}/status`)) / 1e6;
    }),
};

interface Started {
  readonly pid: number;
  readonly readyMs: number;
}

async function openContest(figureOf: (started: Started) => Promise<number>): Promise<Contest> {
  await using opened = new AsyncDisposableStack();
  const packed = await packProgram(repository, join(toolsFolder, "packed"));
  const side = async (command: string, args: (args: readonly string[]) => string[]) => {
    const folder = await Deno.makeTempDir();
    opened.defer(() => Deno.remove(folder, { recursive: true }));
    return (): Promise<Measurement> => measure({ command, args, folder, figureOf });
  };
  const work = await side(packed, (args) => [...args]);
  const baseline = await side(Deno.execPath(), programArgs);
  const resources = opened.move();
  return { work, baseline, [Symbol.asyncDispose]: () => resources.disposeAsync() };
}

interface Side {
  readonly command: string;
  readonly args: (args: readonly string[]) => string[];
  readonly folder: string;
  readonly figureOf: (started: Started) => Promise<number>;
}

async function measure({ command, args, folder, figureOf }: Side): Promise<Measurement> {
  const url = `http://127.0.0.1:${freePort()}`;
  const config = {
    node: { data_dir: folder },
    http: { port: Number(new URL(url).port) },
    plugins: { "event-store": {}, metrics: {} },
  };
  const file = join(folder, "projects.yaml");
  await Deno.writeTextFile(file, JSON.stringify(config));
  const startedAt = performance.now();
  const agent = spawnChild(command, { args: args(["start", "--config", file]), cwd: repository });
  try {
    await waitFor(() => isReady(agent, url), { what: "the agent to be ready", timeoutMs: 30_000, pollMs: 2 });
    return { figure: await figureOf({ pid: agent.pid, readyMs: performance.now() - startedAt }) };
  } finally {
    await agent.stop({ signal: "SIGTERM", timeoutMs: 15_000 });
  }
}

async function isReady(agent: Child, url: string): Promise<boolean> {
  if (!agent.running) throw new Error(`Cannot start "agent": it printed:\n${agent.output()}`);
  const answer = await fetch(`${url}/health/ready`);
  await answer.body?.cancel();
  return answer.ok;
}

function residentBytes(status: string): number {
  return Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1]) * 1024;
}
