import { expect } from "expect";
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { createDatabase } from "../../tests/support/postgres.ts";
import { repository } from "../../tests/support/run_cli.ts";
import { type Child, spawnChild } from "../../tests/support/spawn_child.ts";
import { testWithPostgres } from "../../tests/support/test_with.ts";
import { waitFor } from "../../tests/support/wait_for.ts";

/** A real process that runs jobs; see job_program.ts. */
class Worker {
  readonly #place: { folder: string; storageUrl: string; nodeId: string };
  child: Child | undefined;

  constructor(place: { folder: string; storageUrl: string; nodeId: string }) {
    this.#place = place;
  }

  /** It enqueues so many jobs, or one that kills its process, which may then be dead before it was ready: so it may be `again`. */
  async start(what: number | "deadly" | "again" = 0): Promise<void> {
    const { folder, storageUrl, nodeId } = this.#place;
    await mkdir(join(folder, nodeId), { recursive: true });
    await Deno.remove(this.#urlFile).catch(() => {});
    const child = spawnChild(Deno.execPath(), {
      args: ["run", "-A", "tests/support/job_program.ts", folder, storageUrl, nodeId, String(what)],
      cwd: repository,
    });
    this.child = child;
    await waitFor(async () => !child.running || (await Deno.readTextFile(this.#urlFile)) !== "", {
      what: "the program",
      timeoutMs: 30_000,
    });
    if (!child.running && typeof what === "number") {
      throw new Error(`Cannot start the program: ${child.output()}`);
    }
  }

  async kill(): Promise<number> {
    const { pid } = this.child!;
    await this.child!.stop({ signal: "SIGKILL", timeoutMs: 5000 });
    return pid;
  }

  // deno-lint-ignore no-explicit-any -- answers of any shape
  async get(path: string): Promise<any> {
    const key = (await Deno.readTextFile(join(this.#place.folder, this.#place.nodeId, "admin.key"))).trim();
    const url = await Deno.readTextFile(this.#urlFile);
    return await (await fetch(url + path, { headers: { authorization: `Bearer ${key}` } })).json();
  }

  get #urlFile(): string {
    return join(this.#place.folder, this.#place.nodeId, "url.txt");
  }
}

interface Line {
  readonly kind: string;
  readonly n: number;
  readonly pid: number;
}

async function readLines(folder: string): Promise<Line[]> {
  const text = await Deno.readTextFile(join(folder, "lines.txt")).catch(() => "");
  return text.split("\n").slice(0, -1).map((line) => {
    const [kind, n, pid] = line.split(" ");
    return { kind: kind!, n: Number(n), pid: Number(pid) };
  });
}

/** Every job ended once, and none began while it ran elsewhere; only in a process that was killed it may have begun in vain. */
function expectOnce(
  lines: readonly Line[],
  { count, killed }: { count: number; killed: readonly number[] },
): void {
  const open = new Map<number, number>();
  const ends = new Map<number, number>();
  for (const { kind, n, pid } of lines) {
    if (kind === "begin") {
      const before = open.get(n);
      if (before !== undefined) expect(killed).toContain(before);
      open.set(n, pid);
    } else {
      expect(open.get(n)).toBe(pid);
      open.delete(n);
      ends.set(n, (ends.get(n) ?? 0) + 1);
    }
  }
  expect(ends.size).toBe(count);
  // Between the end of the work and the record of it a process may be killed: that job comes again.
  const again = [...ends.values()].filter((times) => times > 1).length;
  expect(again).toBeLessThanOrEqual(16 * killed.length);
  if (killed.length === 0) expect(lines).toHaveLength(2 * count);
}

async function inFolder(run: (folder: string) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir();
  try {
    await run(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

async function untilDone(worker: Worker, count: number): Promise<void> {
  await waitFor(async () => {
    const { by_state } = await worker.get("/api/jobs/statistics");
    return by_state.completed === count;
  }, { what: `${count} completed jobs`, timeoutMs: 60_000, pollMs: 100 });
}

/** Two processes share 1,000 jobs; `rounds` times one of them is killed and started again. */
async function sharedByTwo(rounds: number): Promise<void> {
  const count = 1000;
  await inFolder(async (folder) => {
    await using database = await createDatabase();
    const workers = ["one", "two"].map((nodeId) => new Worker({ folder, storageUrl: database.url, nodeId }));
    const killed: number[] = [];
    try {
      await workers[1]!.start();
      await workers[0]!.start(count);
      for (let round = 0; round < rounds; round++) {
        const reached = (round + 1) * 150;
        await waitFor(async () => (await readLines(folder)).length >= reached, { what: `${reached} lines` });
        const worker = workers[round % 2]!;
        killed.push(await worker.kill());
        await worker.start();
      }
      await untilDone(workers[0]!, count);
      const lines = await readLines(folder);
      expectOnce(lines, { count, killed });
      expect(new Set(lines.map(({ pid }) => pid)).size).toBeGreaterThanOrEqual(2);
    } finally {
      for (const { child } of workers) {
        if (child?.running) await child.stop({ signal: "SIGKILL", timeoutMs: 5000 });
      }
    }
  });
}

testWithPostgres("two agents on one database run each of 1,000 jobs once", () => sharedByTwo(0));

testWithPostgres("also while they are killed, and no job ever runs twice at once", () => sharedByTwo(4));

Deno.test("the jobs of a killed process are taken up at once when it starts again (sqlite)", async () => {
  await inFolder(async (folder) => {
    const count = 300;
    const worker = new Worker({ folder, storageUrl: "sqlite:", nodeId: "one" });
    const killed: number[] = [];
    try {
      await worker.start(count);
      for (const reached of [60, 200, 350]) {
        await waitFor(async () => (await readLines(folder)).length >= reached, { what: `${reached} lines` });
        killed.push(await worker.kill());
        await worker.start();
      }
      await untilDone(worker, count);
      expectOnce(await readLines(folder), { count, killed });
      const { items } = await worker.get("/api/events?type=job.returned&limit=1000");
      expect(items.length).toBeGreaterThan(0);
      expect(items[0].payload).toMatchObject({ reason: "lost", node_id: "one" });
      const { items: completed } = await worker.get("/api/events?type=job.completed&limit=1000");
      expect(new Set(completed.map((event: { payload: { job_id: string } }) => event.payload.job_id)).size)
        .toBe(count);
      expect(completed).toHaveLength(count);
    } finally {
      if (worker.child?.running) await worker.child.stop({ signal: "SIGKILL", timeoutMs: 5000 });
    }
  });
});

Deno.test("a job that kills its process is given up after its last attempt", async () => {
  await inFolder(async (folder) => {
    const worker = new Worker({ folder, storageUrl: "sqlite:", nodeId: "one" });
    try {
      await worker.start("deadly");
      let starts = 1;
      for (; starts < 10; starts++) {
        const state = () => worker.get("/api/jobs").then(({ items }) => items[0].state, () => undefined);
        await waitFor(async () => !worker.child!.running || await state() === "failed", { what: "an end" });
        if (worker.child!.running) break;
        await worker.start("again");
      }
      expect(starts).toBe(4);
      const { items } = await worker.get("/api/jobs");
      expect(items).toMatchObject([{ state: "failed", attempt: 3, error: { code: "agent_lost" } }]);
      expect(await readLines(folder)).toHaveLength(3);
    } finally {
      if (worker.child?.running) await worker.child.stop({ signal: "SIGKILL", timeoutMs: 5000 });
    }
  });
});
