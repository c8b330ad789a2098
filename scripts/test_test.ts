import { expect } from "expect";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { testWith } from "../tests/support/test_with.ts";
import { repository } from "./setup/tools_folder.ts";

const support = pathToFileURL(join(repository, "tests/support/test_with.ts")).href;

const mixedOutcomes = `
  import { testWithNats } from "${support}";
  Deno.test("passes", () => {});
  Deno.test("fails", () => { throw new Error("on purpose"); });
  Deno.test({ name: "is switched off", ignore: true, fn() {} });
  Deno.env.delete("NATS_SERVER");
  Deno.env.set("NATS_SERVER_MISSING", "nowhere to be had");
  testWithNats("lacks its server", () => {});
`;

const diesBesideProgram = `
  import { spawnChild } from "${support.replace("test_with", "spawn_child")}";
  Deno.test("dies", () => {
    spawnChild("sleep", { args: ["600"] });
    Deno.kill(Deno.pid, "SIGKILL");
  });
`;

/** Runs the runner on one file with tests; servers are found at once, for this test has them. */
async function runTests(text: string, { env }: { env: Readonly<Record<string, string>> }) {
  const folder = await Deno.makeTempDir();
  try {
    const file = join(folder, "given_test.ts");
    await Deno.writeTextFile(file, text);
    const { code, stdout } = await new Deno.Command(Deno.execPath(), {
      args: ["run", "-A", "scripts/test.ts", "--", file],
      cwd: repository,
      env,
    }).output();
    const lines = new TextDecoder().decode(stdout).split("\n");
    return { code, lines, last: lines.slice(-2) };
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

function isRunning(pid: number): boolean {
  try {
    Deno.kill(pid, "SIGCONT");
    // A zombie has ended and only waits for init to take note.
    return Deno.build.os !== "linux" || !/^State:\s+Z/m.test(Deno.readTextFileSync(`/proc/${pid}/status`));
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}

const needs = ["nats", "postgres-programs"] as const;

testWith({
  needs,
  name: "the runner ends with the counts alone and tells by name what was skipped",
  async run() {
    const { code, lines, last } = await runTests(mixedOutcomes, { env: { CI: "" } });
    expect(last).toEqual(["1 passed, 1 failed, 2 skipped", ""]);
    expect(code).toBe(1);
    const told = lines.indexOf("skipped: lacks its server");
    expect(lines[told + 1]).toBe("  because: nats-server: nowhere to be had");
  },
});

testWith({
  needs,
  name: "under CI=true a test that lacks its server is a failure",
  async run() {
    const { code, last } = await runTests(mixedOutcomes.replace(/.*on purpose.*/, ""), {
      env: { CI: "true" },
    });
    expect(last).toEqual(["1 passed, 1 failed, 1 skipped", ""]);
    expect(code).toBe(1);
  },
});

testWith({
  needs,
  name: "a test process that dies is a failure, and the programs it ran are ended",
  async run() {
    const { code, lines, last } = await runTests(diesBesideProgram, { env: { CI: "" } });
    expect(last).toEqual(["0 passed, 1 failed, 0 skipped", ""]);
    expect(code).not.toBe(0);
    const pid = Number(/a test left sleep running \(pid (\d+)\)/.exec(lines.join("\n"))?.[1]);
    expect(pid).toBeGreaterThan(1);
    expect(isRunning(pid)).toBe(false);
  },
});
