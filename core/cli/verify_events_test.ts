import { expect } from "expect";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { publishEvents } from "../../tests/support/publish_events.ts";
import { type Agent, startAgent } from "../../tests/support/run_agent.ts";
import { runCli } from "../../tests/support/run_cli.ts";

async function startWithEvents(): Promise<Agent> {
  const agent = await startAgent({ config: { plugins: { "event-store": {} } } });
  await using publishers = publishEvents(agent);
  await publishers.progress(50);
  await publishers.finish();
  return agent;
}

function change(agent: Agent, statement: string): void {
  const database = new DatabaseSync(join(agent.dataDir, "commandcenter.db"));
  database.exec(statement);
  database.close();
}

Deno.test("events verify shows the head to note, and the first broken link with status 1", async () => {
  await using agent = await startWithEvents();
  const local = ["--config", agent.configFile];
  const intact = await runCli(["events", "verify", ...local]);
  expect(intact).toMatchObject({ code: 0 });
  const head = /^head +(\d+:[0-9a-f]{64})$/m.exec(intact.stdout)?.[1];
  expect(intact.stdout).toMatch(/^verified +\d+ events from 1 on\nresult +intact\nhead /);
  expect(intact.stderr).toContain("--expect");
  const again = await runCli(["events", "verify", "--from", "20", "--expect", head!, "--json", ...local]);
  expect(JSON.parse(again.stdout)).toMatchObject({ ok: true, from_seq: 20, finding_count: 0 });

  change(agent, "update event_store_event set payload = '{}' where seq in (9, 30)");
  const broken = await runCli(["events", "verify", ...local]);
  expect(broken).toMatchObject({ code: 1 });
  expect(broken.stdout).toMatch(/^result +2 faults\nfirst broken +Event 9 is not what was stored$/m);
  expect(broken.stdout).toMatch(/^Event 30 is not what was stored$/m);
  const other = await runCli(["events", "verify", "--expect", `1:${"0".repeat(64)}`, "--json", ...local]);
  expect(other.code).toBe(1);
  expect(JSON.parse(other.stdout).findings.at(-1)).toMatchObject({ kind: "not_as_expected", seq: 1 });
  const beyond = await runCli(["events", "verify", "--from", "1000000", ...local]);
  expect(beyond).toMatchObject({ code: 1 });
  expect(beyond.stdout).toMatch(
    /^result +1 fault\nfirst broken +The log ends at \d+, so that nothing of it follows 999999$/m,
  );
  const nonsense = await runCli(["events", "verify", "--expect", "yesterday", ...local]);
  expect(nonsense).toMatchObject({ code: 1, stderr: expect.stringContaining("expected SEQ:HASH") });
});

Deno.test("a damaged database is refused with what to do, without a stack", async () => {
  await using agent = await startWithEvents();
  await agent.stop();
  const file = await Deno.open(join(agent.dataDir, "commandcenter.db"), { write: true });
  await file.write(new TextEncoder().encode("no SQLite"));
  file.close();
  const refused = await runCli(["start", "--config", agent.configFile]);
  expect(refused.code).toBe(78);
  const lines = refused.stderr.trim().split("\n");
  expect(lines.at(-2)).toMatch(/^Cannot use the database ".*commandcenter\.db": file is not a database$/);
  expect(lines.at(-1)).toMatch(/^Stop the agent, copy .* put a backup in their place/);
  expect(refused.stderr).not.toMatch(/^\s+at /m);
});
