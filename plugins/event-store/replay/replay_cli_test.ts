import { expect } from "expect";
import { eventDraft } from "../../../tests/support/event_draft.ts";
import { followCli } from "../../../tests/support/follow_cli.ts";
import { runCli } from "../../../tests/support/run_cli.ts";
import { type LogPlace, type SeededKernel, startSeededKernel } from "../../../tests/support/seeded_kernel.ts";
import { waitFor } from "../../../tests/support/wait_for.ts";

/** A kernel on `count` events, and the arguments that lead the command line to it. */
async function withLog(
  { count, gapMs }: { count: number; gapMs: number },
  run: (kernel: SeededKernel, reach: { args: string[]; env: Record<string, string> }) => Promise<void>,
): Promise<void> {
  const dataDir = await Deno.makeTempDir();
  const place: LogPlace = { storageUrl: "sqlite:", dataDir };
  const drafts = Array.from({ length: count }, (_, n) =>
    eventDraft(`hub.a.demo.${n % 2 ? "odd" : "even"}`, {
      time: new Date(Date.parse("2026-01-01T00:00:00Z") + n * gapMs).toISOString(),
    }));
  {
    await using kernel = await startSeededKernel(place, { drafts });
    const key = (await Deno.readTextFile(kernel.adminKeyFile)).trim();
    await run(kernel, { args: ["--url", kernel.url], env: { COMMANDCENTER_KEY: key } });
  }
  await Deno.remove(dataDir, { recursive: true });
}

Deno.test("a replay is started with a filter and watched to its end", async () => {
  await withLog({ count: 40, gapMs: 10 }, async (kernel, { args, env }) => {
    const words = ["events", "replay", "--type", "demo.odd", "--until-seq", "20", "--speed", "10", ...args];
    const { code, stdout, stderr } = await runCli(words, { env });
    expect({ code, stderr }).toMatchObject({ code: 0 });
    expect(stderr).toMatch(/^It is published under replay\.\S+\.>; Ctrl-C cancels it\.\n$/);
    expect(stdout).toMatch(/^id +\S+\nstate +completed\nsubject +\S+\nreplayed +10\nposition +20\nof +20\n$/);
    expect(kernel.messages).toHaveLength(10);
  });
});

Deno.test("a detached replay is listed and cancelled", async () => {
  await withLog({ count: 2, gapMs: 3_600_000 }, async (_kernel, { args, env }) => {
    const none = await runCli(["events", "replays", ...args], { env });
    expect(none).toMatchObject({ code: 0, stdout: "", stderr: "No replays found.\n" });
    const started = await runCli(["events", "replay", "--speed", "1", "--detach", "--json", ...args], {
      env,
    });
    const { id, state } = JSON.parse(started.stdout);
    expect(state).toBe("running");
    const listed = await runCli(["events", "replays", ...args], { env });
    expect(listed.stdout).toMatch(/^ID +STATE +REPLAYED +POSITION +SPEED +STARTED +BY +FILTER +ERROR\n/);
    expect(listed.stdout).toContain(`${id}  running`);
    const cancelled = await runCli(["events", "cancel-replay", id, ...args], { env });
    expect(cancelled).toMatchObject({ code: 0, stdout: `The replay ${id} is cancelled.\n` });
    const unknown = await runCli(["events", "cancel-replay", "none", ...args], { env });
    expect(unknown.code).toBe(1);
    expect(unknown.stderr).toContain('There is no replay with the id "none"');
  });
});

Deno.test("Ctrl-C asks the agent to cancel the replay", async () => {
  await withLog({ count: 2, gapMs: 3_600_000 }, async (kernel, { args, env }) => {
    await using cli = followCli(["events", "replay", "--speed", "1", ...args], env);
    await waitFor(() => kernel.messages.length === 1 && cli.remarks(), {
      what: "the replay",
      timeoutMs: 20_000,
    });
    cli.signal("SIGINT");
    expect(await cli.exited()).toBe(130);
    expect(cli.remarks()).toMatch(/The replay \S+ is cancelled\.\n$/);
    const { items } = await (await kernel.fetch("/api/events/replay")).json();
    expect(items).toMatchObject([{ state: "cancelled", replayed: 1 }]);
  });
});

Deno.test("a speed that is none is refused before anything starts", async () => {
  for (const speed of ["fast", "-1", "1e3"]) {
    const { code, stderr } = await runCli([
      "events",
      "replay",
      "--speed",
      speed,
      "--url",
      "http://127.0.0.1:1",
    ]);
    expect({ code, stderr }).toMatchObject({ code: 2 });
  }
});
