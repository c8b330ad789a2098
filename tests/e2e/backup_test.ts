import { expect } from "expect";
import { join } from "node:path";
import { type AllRows, allRows } from "../support/all_rows.ts";
import { cliAt, createPlace, nothingToSay, type Place, startAt } from "../support/backup_agents.ts";
import { publishEvents } from "../support/publish_events.ts";
import type { Agent } from "../support/run_agent.ts";
import { storedEvents } from "../support/stored_events.ts";
import { testWithPostgres } from "../support/test_with.ts";

type Kind = Place["kind"];

const events = "event_store_event";

function register(name: string, kinds: readonly Kind[], run: () => Promise<void>): void {
  if (kinds.includes("postgres")) testWithPostgres(name, run);
  else Deno.test(name, run);
}

async function ask(agent: Agent, path: string, body: unknown = {}): Promise<Record<string, unknown>> {
  const answer = await agent.fetch(path, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(body),
  });
  const text = await answer.text();
  if (!answer.ok) throw new Error(`${path}: ${answer.status} ${text}`);
  return text === "" ? {} : JSON.parse(text);
}

/** What makes each kind of row: odd texts, a consumer with an event in hand, a key. */
async function fill(agent: Agent): Promise<void> {
  const odd = ["", "Jörg 🚲", "a\u0001b", "\\x00ff", "line\nbreak\u2028", "x".repeat(100_000)];
  for (const [n, text] of odd.entries()) {
    await ask(agent, "/api/events", {
      subject: `odd.n${n}`,
      project: n % 2 ? "one" : undefined,
      payload: { text },
    });
  }
  const answer = await agent.fetch("/api/events/consumers/worker", {
    method: "PUT",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ subject: "hub.*.odd.>", start: "first" }),
  });
  expect(answer.ok).toBe(true);
  await answer.body?.cancel();
}

/** Sequences that a worker gets now, and acknowledges the first of. */
async function work(agent: Agent): Promise<readonly number[]> {
  const { items } = await ask(agent, "/api/events/consumers/worker/fetch", { limit: 2 }) as {
    items: { token: string; event: { seq: number } }[];
  };
  if (items[0]) await ask(agent, "/api/events/consumers/worker/ack", { tokens: [items[0].token] });
  return items.map(({ event }) => event.seq);
}

async function restored(from: Place, to: Place, file: string): Promise<void> {
  const result = await cliAt(to, "restore", file, "--json");
  expect(result).toMatchObject({ code: 0, stderr: nothingToSay });
  expect(JSON.parse(result.stdout)).toMatchObject({ restored: true, keys: true, faults: [] });
  for (const name of ["node.id", "admin.key"]) {
    expect(await Deno.readTextFile(join(to.dataDir, name))).toBe(
      await Deno.readTextFile(join(from.dataDir, name)),
    );
    expect((await Deno.stat(join(to.dataDir, name))).mode! & 0o777).toBe(0o600);
  }
}

const combinations: readonly [Kind, Kind][] = [
  ["sqlite", "sqlite"],
  ["postgres", "postgres"],
  ["sqlite", "postgres"],
  ["postgres", "sqlite"],
];

for (const [one, other] of combinations) {
  register(
    `a backup of ${one}, restored into an empty ${other}, is the same agent`,
    [one, other],
    async () => {
      await using from = await createPlace(one);
      await using to = await createPlace(other);
      const file = join(from.folder, "backup.tar");
      let before: AllRows;
      let handedOut: readonly number[];
      {
        await using agent = await startAt(from);
        await fill(agent);
        await using publishers = publishEvents(agent, { publishers: 4 });
        await publishers.progress(100);
        await publishers.finish();
        handedOut = await work(agent);
        await agent.stop();
        const made = await cliAt(from, "backup", file, "--json");
        expect(made).toMatchObject({ code: 0, stderr: nothingToSay });
        expect(JSON.parse(made.stdout)).toMatchObject({ faults: [], left_out: [], keys: true });
        expect((await Deno.stat(file)).mode! & 0o777).toBe(0o600);
        before = await allRows(from.database);
      }
      await restored(from, to, file);
      expect(await allRows(to.database)).toEqual(before);
      expect(before[events]!.length).toBeGreaterThan(100);

      const key = (await Deno.readTextFile(join(from.dataDir, "admin.key"))).trim();
      await using agent = await startAt(to);
      expect(agent.adminKey).toBe(key);
      const last = before[events]!.length;
      expect(await ask(agent, "/api/events", { subject: "demo.next", payload: {} })).toMatchObject({
        seq: last + 1,
      });
      const verified = await cliAt(to, "events", "verify", "--url", agent.url, "--key", key, "--json");
      expect(JSON.parse(verified.stdout)).toMatchObject({ ok: true, events: last + 1 });
      // One was acknowledged and one is still in the hands of the worker before: neither comes again now.
      const next = await work(agent);
      expect(next.filter((seq) => handedOut.includes(seq))).toEqual([]);
      expect(next[0]).toBe(handedOut[1]! + 1);
    },
  );
}

for (const kind of ["sqlite", "postgres"] as const) {
  register(`a backup under load holds the log up to one moment (${kind})`, [kind], async () => {
    await using from = await createPlace(kind);
    await using to = await createPlace(kind);
    const file = join(from.folder, "backup.tar");
    await using agent = await startAt(from);
    await using publishers = publishEvents(agent, { publishers: 8, answerWithinMs: 5_000 });
    await publishers.progress(500);
    const early = publishers.acknowledged.map(({ seq }) => seq);
    const made = await cliAt(from, "backup", file, "--json");
    const { head } = JSON.parse(made.stdout);
    const seq = Number(String(head).split(":")[0]);
    await publishers.progress(50); // nothing was held up
    await publishers.finish();
    expect(publishers.refusals).toEqual(new Map());
    expect(seq).toBeGreaterThanOrEqual(Math.max(...early));
    expect(seq).toBeLessThan(publishers.acknowledged.length);

    await restored(from, to, file);
    await using copy = await startAt(to);
    const all = await storedEvents(agent);
    expect(await storedEvents(copy)).toEqual(all.slice(0, seq));
    const verified = await cliAt(
      to,
      ...["events", "verify", "--expect", head, "--url", copy.url, "--key", copy.adminKey, "--json"],
    );
    expect(JSON.parse(verified.stdout)).toMatchObject({ ok: true, events: seq });
  });
}

Deno.test("what retention removed and signed for is whole in a backup, and the next removal is signed by the same", async () => {
  const settings = { retention: [{ subject: "hub.>", max_count: 40 }] };
  await using from = await createPlace("sqlite", settings);
  await using to = await createPlace("sqlite", settings);
  const file = join(from.folder, "backup.tar");
  {
    await using agent = await startAt(from);
    for (let n = 0; n < 100; n++) {
      await ask(agent, "/api/events", { subject: "demo.counted", payload: { n } });
    }
    await agent.restart(); // retention looks at the log at its start
    await untilGap(from);
  }
  expect(await cliAt(from, "backup", file)).toMatchObject({ code: 0 });
  expect(await cliAt(to, "restore", file)).toMatchObject({ code: 0, stderr: nothingToSay });
  expect(await allRows(to.database)).toEqual(await allRows(from.database));
  const keyFile = "event-store/anchor.key";
  expect(await Deno.readTextFile(join(to.dataDir, keyFile))).toBe(
    await Deno.readTextFile(join(from.dataDir, keyFile)),
  );
});

async function untilGap(place: Place): Promise<void> {
  const { waitFor } = await import("../support/wait_for.ts");
  await waitFor(async () => (await allRows(place.database)).event_store_gap!.length > 0, {
    what: "a gap",
    timeoutMs: 30_000,
  });
}
