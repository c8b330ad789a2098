import { expect } from "expect";
import { mkdtemp, open, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { failure, isAlive, pidsOf, programBench, script } from "../../tests/support/program_bench.ts";
import { waitFor } from "../../tests/support/wait_for.ts";
import { Secret } from "../secret.ts";

Deno.test("after its time a program is ended with everything that it started", async () => {
  await using here = programBench({ kill_after: "200ms" });
  const { pids, onLine } = pidsOf();
  const text = "echo $$; sleep 60 & echo $!; sh -c 'sleep 60 & echo $!; wait' & wait";
  const started = performance.now();
  const error = await failure(here.exec("sh", script(text), { timeoutMs: 300, onLine }));
  expect(error.code).toBe("timeout");
  expect(performance.now() - started).toBeLessThan(3000);
  expect(pids.length).toBe(3);
  for (const pid of pids) await waitFor(async () => !await isAlive(pid), { what: `the end of ${pid}` });
});

Deno.test("who does not listen to SIGTERM is killed", async () => {
  await using here = programBench({ kill_after: "100ms" });
  const { pids, onLine } = pidsOf();
  const text =
    "trap '' TERM; echo $$; sh -c 'trap \"\" TERM; echo $$; while :; do sleep 0.05; done' & wait; while :; do sleep 0.05; done";
  expect((await failure(here.exec("sh", script(text), { timeoutMs: 300, onLine }))).code).toBe("timeout");
  expect(pids.length).toBe(2);
  for (const pid of pids) await waitFor(async () => !await isAlive(pid), { what: `the end of ${pid}` });
});

Deno.test("who ends in order after SIGTERM gets the time to", async () => {
  await using here = programBench();
  const lines: string[] = [];
  const text = "trap 'echo tidied up; exit 0' TERM; while :; do sleep 0.05; done 2>/dev/null";
  const call = here.exec("sh", script(text), { timeoutMs: 300, onLine: ({ text }) => void lines.push(text) });
  expect((await failure(call)).code).toBe("timeout");
  expect(lines).toEqual(["tidied up"]);
});

Deno.test("a grandchild that holds the pipes open holds nobody up, and does not live on", async () => {
  await using here = programBench();
  const { pids, onLine } = pidsOf();
  const started = performance.now();
  const { exitCode } = await here.exec("sh", script("sleep 60 & echo $!; exit 0"), { onLine });
  expect(exitCode).toBe(0);
  expect(performance.now() - started).toBeLessThan(3000);
  await waitFor(async () => !await isAlive(pids[0]!), { what: "the end of the grandchild" });
});

Deno.test("one that closed the pipes and stayed in the background does not live on either", async () => {
  await using here = programBench();
  const { pids, onLine } = pidsOf();
  await here.exec("sh", script("sleep 60 >/dev/null 2>&1 </dev/null & echo $!"), { onLine });
  await waitFor(async () => !await isAlive(pids[0]!), { what: "the end of the grandchild" });
});

Deno.test("one that left the group with the pipes in its hands cannot hold the call open", async () => {
  await using here = programBench();
  const { pids, onLine } = pidsOf();
  const started = performance.now();
  const { exitCode } = await here.exec("sh", script("setsid sh -c 'echo $$; exec sleep 60' & sleep 0.2"), {
    onLine,
  });
  expect(exitCode).toBe(0);
  expect(performance.now() - started).toBeLessThan(4000);
  expect(await isAlive(pids[0]!)).toBe(true); // it is nobody's we know: see docs/security.md
  process.kill(pids[0]!, "SIGKILL");
});

Deno.test("an aborted signal ends the program, before and while it runs, and leaves no listener", async () => {
  await using here = programBench();
  const reason = new Error("enough");
  const before = await failure(here.exec("sleep", ["60"], { signal: AbortSignal.abort(reason) }));
  expect(before).toMatchObject({ code: "aborted", cause: reason });
  const stop = new AbortController();
  const call = here.exec("sh", script("echo up; sleep 60"), {
    signal: stop.signal,
    onLine: () => stop.abort(reason),
  });
  expect(await failure(call)).toMatchObject({ code: "aborted", cause: reason });
});

Deno.test("when the plugin stops, what runs is asked to end, then killed, and nothing starts any more", async () => {
  await using here = programBench({ kill_after: "1m" });
  const { pids, onLine } = pidsOf();
  const stubborn = failure(
    here.exec("sh", script("trap '' TERM; echo $$; while :; do sleep 0.05; done"), { onLine }),
  );
  await waitFor(() => pids.length === 1, { what: "the program" });
  here.stop.abort();
  expect((await failure(here.exec("true", []))).code).toBe("stopping");
  await here.close();
  expect((await stubborn).code).toBe("stopping");
  expect(await isAlive(pids[0]!)).toBe(false);
});

Deno.test("only so many run at once, only so many wait, and who waits may give up", async () => {
  await using here = programBench({ concurrency: 1, waiting: 1 });
  const stop = new AbortController();
  const first = here.exec("sh", script("read line; exit 0"), { signal: stop.signal, stdin: "x" });
  const giveUp = new AbortController();
  const second = failure(here.exec("true", [], { signal: giveUp.signal }));
  expect((await failure(here.exec("true", []))).code).toBe("busy");
  giveUp.abort();
  expect((await second).code).toBe("aborted");
  await first;
  expect(await Promise.all([here.exec("true", []), here.exec("true", [])])).toHaveLength(2);
});

Deno.test("secrets reach the child and neither a log line nor an error", async () => {
  await using here = programBench();
  const secret = new Secret("hunter2");
  const { stdout } = await here.exec("printf", ["%s", secret]);
  expect(stdout).toBe("hunter2");
  const error = await failure(
    here.exec("sh", ["-c", 'echo "wrong: $1 $TOKEN http://me:hunter3@host" >&2; exit 1', "sh", secret], {
      env: { TOKEN: secret },
    }),
  );
  expect(error.message).toBe(
    'Cannot run "sh": it ended with status 1: wrong: [redacted] [redacted] http://me:[redacted]@host',
  );
  expect(JSON.stringify([error, error.stderrTail, error.stack])).not.toMatch(/hunter[23]/);
  const quoting = here.exec("printf", ["%s", secret], {
    onLine: ({ text }) => {
      throw new Error(`Cannot read ${text}`);
    },
  });
  await expect(quoting).rejects.toThrow("Cannot read hunter2"); // the caller's own words are its own affair
  expect(here.logged.join()).not.toContain("hunter2");
  expect(here.logged.join()).toContain("[redacted]");
});

Deno.test("no zombie and no process is left after all of that", async () => {
  await using here = programBench();
  await Promise.all(Array.from({ length: 30 }, () => here.exec("true", [])));
  const { stdout } = await here.exec("sh", script(`cat /proc/[0-9]*/stat 2>/dev/null || true`));
  const children = stdout.split("\n").filter((line) =>
    line.replace(/^.*\) /s, "").split(" ")[1] === String(process.pid)
  );
  expect(children.filter((line) => / Z /.test(line))).toEqual([]);
  expect(children.length).toBe(1); // the one that looks
});

Deno.test("files and connections that the agent has open are not open in a child", async () => {
  await using here = programBench();
  const folder = await mkdtemp(join(tmpdir(), "commandcenter-exec-"));
  await using _file = await open(join(folder, "agents-own-file"), "w");
  const { stdout } = await here.exec("sh", script("ls -l /proc/$$/fd"));
  expect(stdout).toMatch(/ 0 -> .* 1 -> .* 2 -> /s);
  expect(stdout).not.toContain("agents-own-file");
  await rm(folder, { recursive: true });
});
