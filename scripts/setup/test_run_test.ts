import { expect } from "expect";
import { join } from "node:path";
import { runDenoTest } from "./test_run.ts";
import { parseTestReport } from "./test_report.ts";

const everyOutcome = `
  Deno.test("passes", () => {});
  Deno.test("fails <&\\"'>", () => { throw new Error("x </testcase> ]]>"); });
  Deno.test({ name: "is skipped", ignore: true, fn() {} });
  Deno.test("has steps", async (test) => {
    await test.step("one", () => {});
    await test.step("two", async (step) => { await step.step("inner", () => {}); });
  });
  Deno.test("has a failing step", async (test) => { await test.step("one", () => { throw new Error("no"); }); });
  Deno.test("leaks", () => { Deno.openSync("."); });
`;

async function runOn(files: Readonly<Record<string, string>>) {
  const folder = await Deno.makeTempDir();
  try {
    for (const [name, text] of Object.entries(files)) await Deno.writeTextFile(join(folder, name), text);
    const printed: string[] = [];
    const junitFile = join(folder, "junit.xml");
    const args = ["--no-config", folder];
    const run = await runDenoTest({ args, junitFile, env: {}, print: (text) => printed.push(text) });
    return { run, printed: printed.join("") };
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

Deno.test("counts come out as the tests did, steps as part of their test", async () => {
  const { run, printed } = await runOn({ "a_test.ts": everyOutcome });
  expect(run).toMatchObject({
    code: 1,
    passed: ["passes", "has steps"],
    skipped: ["is skipped"],
    failed: [`fails <&"'>`, "has a failing step", "leaks"],
  });
  expect(printed).toContain("passes ... ");
});

Deno.test("a file that throws outside its tests counts as a failure beside the others", async () => {
  const { run } = await runOn({
    "a_test.ts": `Deno.test("passes", () => {});`,
    "b_test.ts": `throw new Error("at the top");`,
    "c_test.ts": `Deno.test("fails", () => { throw new Error("here"); });`,
  });
  expect(run.passed).toEqual(["passes"]);
  expect(run.failed).toEqual(["fails", expect.stringMatching(/b_test\.ts: uncaught error$/)]);
});

Deno.test("a test under way when its file throws counts as failed, and so does the file", async () => {
  const text = `Deno.test("is cut off", async () => {
    setTimeout(() => { throw new Error("late"); });
    await new Promise(() => {});
  });`;
  const { run } = await runOn({ "a_test.ts": text });
  expect(run.failed).toEqual(["is cut off", expect.stringMatching(/a_test\.ts: uncaught error$/)]);
});

Deno.test("a run that never starts is one failure", async () => {
  const { run } = await runOn({ "a_test.ts": `const text: string = 1; Deno.test("never", () => {});` });
  expect(run).toMatchObject({ passed: [], skipped: [], failed: ["deno test: exit code 1"] });
});

Deno.test("no report is an empty report", () => {
  expect(parseTestReport("")).toEqual({ passed: [], failed: [], skipped: [] });
});
