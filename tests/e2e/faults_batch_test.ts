import { expect } from "expect";
import { createDatabase } from "../support/postgres.ts";
import { type Agent, startAgent } from "../support/run_agent.ts";
import { storedEvents } from "../support/stored_events.ts";
import { testWithPostgres } from "../support/test_with.ts";
import { waitFor } from "../support/wait_for.ts";

const eventsPerBatch = 400;

interface Answer {
  readonly count: number;
  readonly first_seq: number;
  readonly last_seq: number;
  readonly duplicates: number;
}

/** Publishes the batch of that number; undefined where the agent died over it. */
async function publish(agent: Agent, batch: string): Promise<Answer | undefined> {
  const events = Array.from({ length: eventsPerBatch }, (_, n) => ({
    subject: "fault.tried",
    id: `${batch}-${n}`,
    payload: { batch, n, filling: "x".repeat(200) },
  }));
  try {
    const response = await agent.fetch("/api/events/batch", {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify(events),
    });
    return response.ok ? await response.json() : void await response.body?.cancel();
  } catch {
    return undefined; // refused, reset, or cut in the middle of an answer
  }
}

/** Kills the agent while batches come in, each time at another moment, and looks at what is left of each of them. */
async function killUnderBatches(
  { rounds, storageUrl }: { rounds: number; storageUrl: string },
): Promise<void> {
  await using agent = await startAgent({
    config: { storage: { url: storageUrl }, plugins: { "event-store": {} } },
  });
  const acknowledged = new Map<string, Answer>();
  const sent = new Set<string>();
  for (let round = 0; round < rounds; round++) {
    let isKilled = false;
    const before = acknowledged.size;
    const publishers = Array.from({ length: 4 }, async (_, publisher) => {
      for (let n = 0; !isKilled; n++) {
        const batch = `${round}.${publisher}.${n}`;
        sent.add(batch);
        const answer = await publish(agent, batch);
        if (answer) acknowledged.set(batch, answer);
      }
    });
    const goal = before + 1 + Math.floor(Math.random() * 6);
    await waitFor(() => acknowledged.size >= goal, { what: "acknowledged batches", pollMs: 1 });
    await agent.kill();
    isKilled = true;
    await Promise.all(publishers);
    await agent.restart();
  }
  const events = await storedEvents(agent);
  const stored = Map.groupBy(events, ({ id }) => id.slice(0, id.lastIndexOf("-")));
  for (const [batch, { first_seq, last_seq }] of acknowledged) {
    expect([batch, stored.get(batch)?.[0]?.seq, stored.get(batch)?.at(-1)?.seq]).toEqual([
      batch,
      first_seq,
      last_seq,
    ]);
  }
  for (const [batch, members] of stored) {
    expect(sent.has(batch)).toBe(true);
    const first = members[0]!.seq;
    expect(members.map(({ id, seq }) => [id, seq - first])).toEqual(
      Array.from({ length: eventsPerBatch }, (_, n) => [`${batch}-${n}`, n]),
    );
  }
  for (const batch of [...sent].slice(-4)) {
    const again = await publish(agent, batch);
    const members = stored.get(batch);
    if (members) expect(again).toMatchObject({ first_seq: members[0]!.seq, duplicates: eventsPerBatch });
    else expect(again).toMatchObject({ duplicates: 0 });
  }
}

Deno.test("SQLite: 10 times kill -9 under batches, and each of them is there whole or not at all", async () => {
  await killUnderBatches({ rounds: 10, storageUrl: "sqlite:" });
});

testWithPostgres(
  "PostgreSQL: 5 times kill -9 under batches, and each is there whole or not at all",
  async () => {
    await using database = await createDatabase();
    await killUnderBatches({ rounds: 5, storageUrl: database.url });
  },
);
