// deno task test [-- FILES or options of deno test]: obtains a NATS server and PostgreSQL, then runs every test.
import { existsSync } from "node:fs";
import { join } from "node:path";
import { type Requirement, requirements } from "../tests/support/requirement.ts";
import { type DenoTestRun, runDenoTest } from "./setup/test_run.ts";
import type { Obtained } from "./setup/obtain.ts";
import { obtainDocker } from "./setup/obtain_docker.ts";
import { obtainMount } from "./setup/obtain_mount.ts";
import { obtainNats } from "./setup/obtain_nats.ts";
import { obtainPromtool } from "./setup/obtain_promtool.ts";
import { obtainPostgres } from "./setup/obtain_postgres.ts";
import { createRunFolder, type RunFolder } from "./setup/run_folder.ts";
import { repository } from "./setup/tools_folder.ts";

const timeLimitMinutes = 20;
const roots = ["core", "plugins", "tests", "scripts"];

function print(text: string): void {
  const bytes = new TextEncoder().encode(text);
  for (let written = 0; written < bytes.length;) written += Deno.stdout.writeSync(bytes.subarray(written));
}

function say(line: string): void {
  print(`${line}\n`);
}

/** Returns the environment that tells the tests where everything is, or why it is not. */
async function obtainAll(stack: AsyncDisposableStack): Promise<Record<string, string>> {
  const [nats, postgres, mount, docker] = await Promise.all([
    obtainNats(say),
    obtainPostgres({ say, stack }),
    obtainMount(say),
    obtainDocker(say),
  ]);
  const promtool = await obtainPromtool(say); // behind the others, as two of them may be in apt's hands
  const obtained: Readonly<Record<Requirement, Obtained<string>>> = {
    "nats": nats,
    "postgres": postgres.server,
    "postgres-programs": postgres.programs,
    "mount": mount,
    "promtool": promtool,
    "docker": docker,
  };
  const env: Record<string, string> = {};
  for (const [requirement, { title, variable }] of Object.entries(requirements)) {
    const result = obtained[requirement as Requirement];
    if ("found" in result) {
      env[variable] = result.found;
      say(`${title}: ${withoutPassword(result.found)} (${result.by})`);
    } else {
      // An empty value covers what this process was given and could not use.
      env[variable] = "";
      env[`${variable}_MISSING`] = result.missing;
      say(`${title}: missing; ${result.missing}`);
    }
  }
  return env;
}

function withoutPassword(place: string): string {
  return place.replace(/:\/\/([^:/]*):[^@]*@/, "://$1@");
}

/** Returns the arguments for `deno test`: those given, and every folder with tests unless they name files. */
function testArgs(given: readonly string[]): string[] {
  // Its name makes this very file look like one with tests.
  const args = ["--ignore=scripts/test.ts", ...given.filter((arg) => arg !== "--")];
  const named = args.some((arg) => !arg.startsWith("-") && existsSync(arg));
  return named ? args : [...args, ...roots.filter((root) => existsSync(join(repository, root)))];
}

/** Prints what is worth knowing after a run, ending with the line of counts; returns the exit code. */
async function summarize(run: DenoTestRun, folder: RunFolder): Promise<number> {
  const reasons = new Map((await folder.skips()).map(({ name, reason }) => [name, reason]));
  const unmet = run.skipped.filter((name) => reasons.has(name));
  say("");
  for (const line of await folder.endLeftovers()) say(line);
  const byReason = Map.groupBy(run.skipped, (name) => reasons.get(name) ?? "switched off in its file");
  for (const [reason, names] of byReason) {
    for (const name of names) say(`skipped: ${name}`);
    say(`  because: ${reason}`);
  }
  for (const name of run.failed) say(`failed: ${name}`);
  const counted = Deno.env.get("CI") === "true" ? unmet.length : 0;
  if (counted > 0) say(`CI=true: the ${counted} tests that lack something count as failed`);
  const failed = run.failed.length + counted;
  say(`${run.passed.length} passed, ${failed} failed, ${run.skipped.length - counted} skipped`);
  return run.code === 0 && failed > 0 ? 1 : run.code;
}

/** Aborts at the first SIGINT or SIGTERM, or when the time is up. */
function ending(stack: AsyncDisposableStack): AbortSignal {
  const abort = new AbortController();
  const timer = setTimeout(
    () => abort.abort(`${timeLimitMinutes} minutes are over`),
    timeLimitMinutes * 60_000,
  );
  stack.defer(() => clearTimeout(timer));
  for (const name of ["SIGINT", "SIGTERM"] as const) {
    const interrupt = () => abort.abort(name);
    Deno.addSignalListener(name, interrupt);
    stack.defer(() => Deno.removeSignalListener(name, interrupt));
  }
  return abort.signal;
}

/** Rejects as soon as the run is to end. */
function aborted(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    signal.addEventListener("abort", () => reject(new Error(`ended early: ${signal.reason}`)));
  });
}

async function runTests(): Promise<number> {
  await using stack = new AsyncDisposableStack();
  const signal = ending(stack);
  const folder = stack.use(await createRunFolder());
  const env = { ...await Promise.race([obtainAll(stack), aborted(signal)]), ...folder.env };
  const { junitFile } = folder;
  const run = await runDenoTest({ args: testArgs(Deno.args), env, junitFile, print, signal });
  if (signal.aborted) say(`ended early: ${signal.reason}`);
  return await summarize(run, folder);
}

/** Runs the tests; what keeps them from running at all is one failure. */
async function main(): Promise<number> {
  try {
    return await runTests();
  } catch (error) {
    say(`Cannot run "the tests": ${error instanceof Error ? error.message : error}`);
    say("0 passed, 1 failed, 0 skipped");
    return 1;
  }
}

if (import.meta.main) Deno.exit(await main());
