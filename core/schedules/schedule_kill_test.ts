import { expect } from "expect";
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { createDatabase } from "../../tests/support/postgres.ts";
import { repository } from "../../tests/support/run_cli.ts";
import { type Child, spawnChild } from "../../tests/support/spawn_child.ts";
import { testWithPostgres } from "../../tests/support/test_with.ts";
import { waitFor } from "../../tests/support/wait_for.ts";

// deno-lint-ignore no-explicit-any -- answers of any shape, which the tests look into
type Json = any;

/** A real agent with a fast clock; see schedule_program.ts. */
class Agent {
  readonly #folder: string;
  readonly #args: readonly string[];
  child: Child | undefined;

  constructor(place: { folder: string; storageUrl: string; nodeId: string; beganMs: number }) {
    this.#folder = join(place.folder, place.nodeId);
    this.#args = [place.folder, place.storageUrl, place.nodeId, String(place.beganMs)];
  }

  async start(): Promise<void> {
    await mkdir(this.#folder, { recursive: true });
    await Deno.remove(this.#urlFile).catch(() => {});
    const args = ["run", "-A", "tests/support/schedule_program.ts", ...this.#args];
    const child = spawnChild(Deno.execPath(), { args, cwd: repository });
    this.child = child;
    await waitFor(async () => !child.running || (await Deno.readTextFile(this.#urlFile)) !== "", {
      what: "the program",
      timeoutMs: 30_000,
    });
    if (!child.running) throw new Error(`Cannot start the program: ${child.output()}`);
  }

  async kill(): Promise<void> {
    if (this.child?.running) await this.child.stop({ signal: "SIGKILL", timeoutMs: 5000 });
  }

  async call(path: string, body?: unknown, method = "POST"): Promise<Json> {
    const authorization = `Bearer ${(await Deno.readTextFile(join(this.#folder, "admin.key"))).trim()}`;
    const answer = await fetch(await Deno.readTextFile(this.#urlFile) + path, {
      headers: { authorization, "content-type": "application/json" },
      ...(body === undefined ? {} : { method, body: JSON.stringify(body) }),
    });
    return await answer.json();
  }

  get #urlFile(): string {
    return join(this.#folder, "url.txt");
  }
}

const everyMinute = {
  name: "tick",
  job: "load.tick",
  input: null,
  when: { kind: "cron", pattern: "* * * * *" },
  missed: "all",
  overlap: true,
};

/** Each minute has run once, none is left out, and every run has its job, every job its run. */
async function expectOnce(agent: Agent): Promise<void> {
  const { items } = await agent.call("/api/schedules");
  await agent.call(`/api/schedules/${items[0].id}/disable`, {});
  const { items: told } = await agent.call("/api/events?type=schedule.triggered&order=asc&limit=1000");
  const runs: Json[] = told.map(({ payload }: Json) => payload);
  expect((await agent.call("/api/events?type=schedule.missed")).items).toEqual([]);
  const minutes = runs.map(({ planned_at }) => Date.parse(planned_at) / 60_000).sort((a, b) => a - b);
  expect(minutes).toEqual(minutes.map((_minute, n) => minutes[0]! + n));
  const { items: jobs } = await agent.call("/api/jobs?limit=1000");
  expect(jobs.map(({ id }: Json) => id).sort()).toEqual(runs.map(({ job_id }) => job_id).sort());
}

async function withAgents(
  { storageUrl, nodeIds }: { storageUrl: string; nodeIds: readonly string[] },
  run: (agents: readonly Agent[]) => Promise<void>,
): Promise<void> {
  const folder = await Deno.makeTempDir();
  const beganMs = Date.now();
  const agents = nodeIds.map((nodeId) => new Agent({ folder, storageUrl, nodeId, beganMs }));
  try {
    for (const agent of agents) await agent.start();
    await agents[0]!.call("/api/schedules", everyMinute);
    await run(agents);
  } finally {
    for (const agent of agents) await agent.kill();
    await Deno.remove(folder, { recursive: true });
  }
}

async function untilTriggered(agent: Agent, count: number): Promise<void> {
  const { items: [{ id }] } = await agent.call("/api/schedules");
  await waitFor(async () => {
    // Its clock is fast, its timers are not: a change wakes it.
    await agent.call(`/api/schedules/${id}`, { name: "tick" }, "PATCH");
    const { items } = await agent.call("/api/events?type=schedule.triggered&limit=1000");
    return items.length >= count;
  }, { what: `${count} runs`, timeoutMs: 30_000, pollMs: 100 });
}

Deno.test("a killed agent leaves no occurrence without its job, and no job without it (sqlite)", async () => {
  await withAgents({ storageUrl: "sqlite:", nodeIds: ["one"] }, async ([agent]) => {
    for (const count of [5, 25, 45]) {
      await untilTriggered(agent!, count);
      await agent!.kill();
      await agent!.start();
    }
    await untilTriggered(agent!, 65);
    await expectOnce(agent!);
  });
});

testWithPostgres(
  "two agents on one database run each occurrence once, also while one is killed",
  async () => {
    await using database = await createDatabase();
    await withAgents({ storageUrl: database.url, nodeIds: ["one", "two"] }, async (agents) => {
      const [one, two] = agents as [Agent, Agent];
      await untilTriggered(one, 20);
      await two.kill();
      await untilTriggered(one, 35);
      await two.start();
      await untilTriggered(one, 65);
      await expectOnce(one);
    });
  },
);
