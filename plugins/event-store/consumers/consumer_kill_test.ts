import { expect } from "expect";
import { createDatabase } from "../../../tests/support/postgres.ts";
import { type Agent, startAgent } from "../../../tests/support/run_agent.ts";
import { testWithPostgres } from "../../../tests/support/test_with.ts";
import { waitFor } from "../../../tests/support/wait_for.ts";

const consumer = "/api/events/consumers/work";
const headers = { "content-type": "application/json" };

interface Item {
  readonly token: string;
  readonly attempt: number;
  readonly event: { readonly seq: number };
}

async function call(agent: Agent, method: string, path: string, body?: unknown) {
  const init = body === undefined ? {} : { body: JSON.stringify(body) };
  const response = await agent.fetch(path, { method, headers, ...init });
  const answer = await response.json();
  if (!response.ok) throw new Error(`${method} ${path}: ${JSON.stringify(answer)}`);
  return answer;
}

const fetchItems = async (agent: Agent, body: unknown = {}): Promise<readonly Item[]> =>
  (await call(agent, "POST", `${consumer}/fetch`, body)).items;

async function publish(agent: Agent, count: number): Promise<void> {
  for (let n = 0; n < count; n++) {
    await call(agent, "POST", "/api/events", { subject: "work.asked", payload: { n } });
  }
}

/** Kills the agent in every state that an event can be in. */
async function leasesSurvive(storageUrl: string): Promise<void> {
  await using agent = await startAgent({
    config: { storage: { url: storageUrl }, plugins: { "event-store": {} } },
  });
  await call(agent, "PUT", consumer, { subject: ">", start: "first", ack_wait: "5m", max_deliveries: 2 });
  await publish(agent, 4);
  const first = await fetchItems(agent, { limit: 3 });
  await call(agent, "POST", `${consumer}/ack`, { tokens: [first[0]!.token] });
  await call(agent, "POST", `${consumer}/nak`, { tokens: [first[1]!.token], error: "before the kill" });
  await agent.kill();
  await agent.restart();
  // The third is still in the hands of its worker.
  const again = await fetchItems(agent);
  expect(again).toMatchObject([{ attempt: 2, event: { seq: 2 } }, { attempt: 1, event: { seq: 4 } }]);
  expect(await call(agent, "POST", `${consumer}/ack`, { tokens: [first[2]!.token, again[1]!.token] }))
    .toEqual({ acknowledged: 2, stale: [] });
  await agent.kill();
  await agent.restart();
  expect(await call(agent, "GET", consumer)).toMatchObject({ position: 4, in_flight: 1, redelivered: 1 });
  // Its second lease was its last delivery; it ends although nobody remembers it but the database.
  await call(agent, "POST", `${consumer}/extend`, { tokens: [again[0]!.token], ack_wait: "10ms" });
  expect(await fetchItems(agent, { wait: "100ms" })).toEqual([]);
  const { items } = await call(agent, "GET", `${consumer}/dead-letters`);
  expect(items).toMatchObject([{
    seq: 2,
    deliveries: 2,
    errors: [{ error: "before the kill" }, { error: "not acknowledged in time" }],
  }]);
}

/** Four workers go on whatever happens; what they were told is done must never come again. */
async function killedUnderLoad(storageUrl: string, rounds: number): Promise<void> {
  await using agent = await startAgent({
    config: { storage: { url: storageUrl }, plugins: { "event-store": {} } },
  });
  await call(agent, "PUT", consumer, { subject: ">", start: "first", ack_wait: "1s", max_deliveries: 100 });
  const count = 400;
  await publish(agent, count);
  const done = new Set<number>();
  const twice: number[] = [];
  let isOver = false;
  const work = async () => {
    while (!isOver) {
      try {
        const items = await fetchItems(agent, { limit: 5, wait: "200ms" });
        for (const { event } of items) if (done.has(event.seq)) twice.push(event.seq);
        if (items.length === 0) continue;
        const { stale } = await call(agent, "POST", `${consumer}/ack`, {
          tokens: items.map(({ token }) => token),
        });
        for (const { token, event } of items) if (!stale.includes(token)) done.add(event.seq);
      } catch {
        await new Promise((resolve) => setTimeout(resolve, 20)); // the agent is away
      }
    }
  };
  const workers = Promise.all([work(), work(), work(), work()]);
  for (let round = 1; round <= rounds; round++) {
    const goal = Math.floor(count * round / (rounds + 1));
    await waitFor(() => done.size >= goal, { what: `${goal} events`, timeoutMs: 30_000, pollMs: 1 });
    await agent.kill();
    await agent.restart();
  }
  await waitFor(async () => {
    const { lag, in_flight, waiting } = await call(agent, "GET", consumer);
    return lag === 0 && in_flight === 0 && waiting === 0;
  }, { what: "everything to be done with", timeoutMs: 30_000, pollMs: 50 });
  isOver = true;
  await workers;
  expect(twice).toEqual([]);
  // An acknowledgement may have been written although its answer never came.
  expect(done.size).toBeGreaterThanOrEqual(count - rounds * 4 * 5);
  expect(await call(agent, "GET", consumer)).toMatchObject({ dead_letters: 0, position: count });
}

Deno.test("leases, counts of deliveries and errors survive kill -9 (sqlite)", () => leasesSurvive("sqlite:"));

testWithPostgres("leases, counts of deliveries and errors survive kill -9 (postgres)", async () => {
  await using database = await createDatabase();
  await leasesSurvive(database.url);
});

Deno.test("5 times kill -9 under four workers: what was acknowledged never comes again, the rest does (sqlite)", () =>
  killedUnderLoad("sqlite:", 5));

testWithPostgres("2 times kill -9 under four workers: the same (postgres)", async () => {
  await using database = await createDatabase();
  await killedUnderLoad(database.url, 2);
});
