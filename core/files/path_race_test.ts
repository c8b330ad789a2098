import { expect } from "expect";
import { mkdir, mkdtemp, readdir, readFile, readlink, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Problem } from "../errors.ts";
import { openRoot } from "./path_root.ts";

const rounds = 1500;
const mayHappen = new Set([
  "path_not_found",
  "outside_root",
  "path_changing",
  "not_a_folder",
  "path_is_link",
  "not_a_file",
]);

/** Swaps, in a thread of its own and as fast as it can, what is there for a link out of the root, and back. */
const attacker = `
  const { renameSync, symlinkSync } = require("node:fs");
  const { workerData } = require("node:worker_threads");
  const { target, honest, evil, link } = workerData;
  symlinkSync(target, evil);
  const state = new Int32Array(workerData.shared);
  while (Atomics.load(state, 0) === 0) {
    renameSync(link, honest); renameSync(evil, link);
    renameSync(link, evil); renameSync(honest, link);
    Atomics.add(state, 1, 1);
  }
`;

async function underAttack(
  paths: { folder: string; link: string; target: string },
  work: () => Promise<void>,
): Promise<number> {
  const { Worker } = await import("node:worker_threads");
  const shared = new SharedArrayBuffer(8);
  const state = new Int32Array(shared);
  const { folder, link, target } = paths;
  const workerData = { shared, link, target, honest: join(folder, "honest"), evil: join(folder, "evil") };
  const worker = new Worker(attacker, { eval: true, workerData });
  const ended = new Promise((resolve, reject) => {
    worker.once("exit", resolve);
    worker.once("error", reject);
  });
  try {
    while (Atomics.load(state, 1) === 0) await new Promise((resolve) => setImmediate(resolve));
    await work();
  } finally {
    Atomics.store(state, 0, 1);
    await ended;
  }
  return Atomics.load(state, 1);
}

/** Without /proc nearly every attempt under attack is given up: see `verify_place.ts`. */
function seesProc(): Promise<boolean> {
  return readlink("/proc/self/cwd").then(() => true, () => false);
}

/** Tries over and over; returns how often it worked. Fails on whatever is no refusal. */
async function overAndOver(attempt: () => Promise<void>): Promise<number> {
  let succeeded = 0;
  for (let round = 0; round < rounds; round++) {
    try {
      await attempt();
      succeeded++;
    } catch (error) {
      if (!(error instanceof Problem) || !mayHappen.has(error.code)) throw error;
    }
  }
  return succeeded;
}

Deno.test("a file that is swapped for a link while it is read never gives away what lies outside", async () => {
  const folder = await mkdtemp(join(tmpdir(), "commandcenter-race-"));
  await mkdir(join(folder, "root/sub"), { recursive: true });
  await mkdir(join(folder, "outside"));
  await writeFile(join(folder, "root/sub/file"), "inside");
  await writeFile(join(folder, "outside/file"), "hunter2");
  const root = await openRoot(join(folder, "root"));
  const link = join(folder, "root/sub/file");
  let succeeded = 0;
  const turns = await underAttack({ folder, link, target: join(folder, "outside/file") }, async () => {
    succeeded = await overAndOver(async () => {
      expect((await root.readFile("sub/file", { maxBytes: 100 })).toString()).toBe("inside");
    });
  });
  expect(turns).toBeGreaterThan(rounds);
  if (await seesProc()) expect(succeeded).toBeGreaterThan(0);
  await rm(folder, { recursive: true });
});

Deno.test("a folder that is swapped for a link while it is used leads nobody out, reading, listing or writing", async () => {
  const folder = await mkdtemp(join(tmpdir(), "commandcenter-race-"));
  await mkdir(join(folder, "root/sub/deep"), { recursive: true });
  await mkdir(join(folder, "outside/deep"), { recursive: true });
  await writeFile(join(folder, "root/sub/deep/file"), "inside");
  await writeFile(join(folder, "outside/deep/file"), "hunter2");
  await writeFile(join(folder, "outside/deep/hunter2"), "");
  const root = await openRoot(join(folder, "root"));
  let read = 0;
  const useAll = async () => {
    expect((await root.readFile("sub/deep/file", { maxBytes: 100 })).toString()).toBe("inside");
    read++;
    const { entries } = await root.list("sub/deep");
    expect(entries.map(({ name }) => name)).not.toContain("hunter2");
    await root.writeFile("sub/deep/file", "inside");
    await using held = await root.openFolder("sub/deep");
    expect(await readdir(held.path)).not.toContain("hunter2");
  };
  await underAttack({ folder, link: join(folder, "root/sub"), target: join(folder, "outside") }, async () => {
    await overAndOver(useAll);
  });
  if (await seesProc()) expect(read).toBeGreaterThan(0);
  expect(await readFile(join(folder, "outside/deep/file"), "utf8")).toBe("hunter2");
  const outside = await readdir(join(folder, "outside/deep"));
  // Without /proc an empty draft may come to lie there; what was to be written never does.
  const drafts = await seesProc() ? [] : outside.filter((name) => name.endsWith(".tmp"));
  for (const draft of drafts) expect((await stat(join(folder, "outside/deep", draft))).size).toBe(0);
  expect(outside.filter((name) => !drafts.includes(name)).toSorted()).toEqual(["file", "hunter2"]);
  await useAll(); // left in peace, all of it works
  await rm(folder, { recursive: true });
});
