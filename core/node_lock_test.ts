import { expect } from "expect";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir, mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { execPath, pid } from "node:process";
import { createInterface } from "node:readline";
import { ConfigurationError } from "./errors.ts";
import { lockDataDir } from "./node_lock.ts";

/** Another process that, when told to, takes the lock, tells how that went, and holds it until its input ends. */
const program = `
import { lockDataDir } from ${JSON.stringify(new URL("./node_lock.ts", import.meta.url).href)};
const say = (text) => Deno.stdout.write(new TextEncoder().encode(text + "\\n"));
const input = Deno.stdin.readable.getReader();
await say("ready");
await input.read();
try {
  await using lock = await lockDataDir(Deno.args[0]);
  await say("held");
  while (!(await input.read()).done);
} catch (error) {
  await say(error.message);
}`;

class Other {
  readonly process: ChildProcess;
  readonly #lines: AsyncIterator<string>;

  constructor(folder: string) {
    const config = new URL("../deno.json", import.meta.url).pathname;
    const script = join(folder, "other.ts");
    this.process = spawn(execPath, ["run", "-A", "--config", config, script, join(folder, "data")], {
      stdio: ["pipe", "pipe", "inherit"],
    });
    this.#lines = createInterface({ input: this.process.stdout! })[Symbol.asyncIterator]();
  }

  async ready(): Promise<void> {
    expect((await this.#lines.next()).value).toBe("ready");
  }

  /** Lets it take the lock; resolves to `held`, or why not. */
  async lock(): Promise<string> {
    this.process.stdin!.write("go");
    return (await this.#lines.next()).value;
  }

  async end(signal?: "SIGKILL"): Promise<void> {
    if (this.process.exitCode !== null) return;
    const exited = once(this.process, "exit");
    if (signal) this.process.kill(signal);
    else this.process.stdin!.end();
    await exited;
  }
}

async function startOther(folder: string): Promise<Other> {
  const other = new Other(folder);
  await other.ready();
  return other;
}

async function inFolder(work: (folder: string) => Promise<void>): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), "lock-"));
  await writeFile(join(folder, "other.ts"), program);
  try {
    await work(folder);
  } finally {
    await rm(folder, { recursive: true });
  }
}

function refusal(dataDir: string, other: number | undefined): string {
  return `Cannot use the data folder "${dataDir}": another agent, process ${other}, runs on it; ` +
    "stop that one, or give this one a node.data_dir of its own";
}

Deno.test("a second process is refused and told the first's number, until the first has stopped", () =>
  inFolder(async (folder) => {
    const [first, second, third] = await Promise.all([1, 2, 3].map(() => startOther(folder)));
    expect(await first!.lock()).toBe("held");
    expect(await second!.lock()).toBe(refusal(join(folder, "data"), first!.process.pid));
    await first!.end();
    expect(await third!.lock()).toBe("held");
    await Promise.all([second!, third!].map((other) => other.end()));
    expect(await readdir(join(folder, "data"))).toEqual(["lock"]);
  }));

Deno.test("the lock of a process that was killed with -9 is taken over", () =>
  inFolder(async (folder) => {
    const [killed, next] = await Promise.all([startOther(folder), startOther(folder)]);
    expect(await killed.lock()).toBe("held");
    await killed.end("SIGKILL");
    expect(await readdir(join(folder, "data"))).toEqual(["lock", "lock.pid"]);
    expect(await next.lock()).toBe("held");
    await next.end();
  }));

Deno.test("of twenty processes at once exactly one wins, and all others name it, not one that was killed", () =>
  inFolder(async (folder) => {
    const all = await Promise.all(Array.from({ length: 20 }, () => startOther(folder)));
    await mkdir(join(folder, "data"));
    await writeFile(join(folder, "data", "lock.pid"), "4194999\n");
    const said = await Promise.all(all.map((other) => other.lock()));
    expect(said.filter((line) => line === "held")).toHaveLength(1);
    const winner = all[said.indexOf("held")]!;
    const refused = said.filter((line) => line !== "held");
    expect(new Set(refused)).toEqual(new Set([refusal(join(folder, "data"), winner.process.pid)]));
    await Promise.all(all.map((other) => other.end()));
  }));

Deno.test("within one process too; released by disposing, which may happen twice", () =>
  inFolder(async (folder) => {
    const dataDir = join(folder, "data");
    const lock = await lockDataDir(dataDir);
    const error = await lockDataDir(dataDir).catch((error: unknown) => error);
    expect((error as ConfigurationError).lines).toEqual([refusal(dataDir, pid)]);
    await lock[Symbol.asyncDispose]();
    await lock[Symbol.asyncDispose]();
    await using _again = await lockDataDir(dataDir);
  }));

Deno.test("a lock file that is no lock file is refused", () =>
  inFolder(async (folder) => {
    await writeFile(join(folder, "lock"), "something else altogether ".repeat(100));
    const error = await lockDataDir(folder).catch((error: unknown) => error);
    expect(error).toBeInstanceOf(ConfigurationError);
    expect((error as Error).message).toContain(`Cannot lock "${folder}"`);
  }));
