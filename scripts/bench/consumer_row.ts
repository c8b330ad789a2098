import { join } from "node:path";
import { openSqlite } from "../../core/storage/sqlite.ts";
import { migrations } from "../../plugins/event-store/migrations.ts";
import { EventStore } from "../../plugins/event-store/store.ts";
import { eventDraft } from "../../tests/support/event_draft.ts";
import type { Agent } from "../../tests/support/run_agent.ts";
import { benchNodeId, startBenchAgent } from "./bench_agent.ts";
import { samplePayload } from "./event_table.ts";
import type { Row } from "./row.ts";

const events = 50_000;
const workers = 4;
/** Events of one fetch, and of one page of the baseline. */
const pageSize = 1000;

/** What it costs to hand each event to one worker, and to remember that, beside reading it. */
export const consumerRow: Row = {
  name: "consumer",
  work:
    `POST fetch and ack over HTTP, ${workers} workers of one consumer, ${pageSize} events each time, SQLite`,
  baseline: "the same events read in pages of the same size by the store alone, inside one process",
  unit: "events/s",
  goal: { kind: "ratio", atLeast: 0.2 },
  open: async () => {
    await using opened = new AsyncDisposableStack();
    const dataDir = await Deno.makeTempDir({ prefix: "commandcenter-bench-" });
    opened.defer(() => Deno.remove(dataDir, { recursive: true }));
    const path = join(dataDir, "commandcenter.db");
    await fill(path);
    const agent = opened.use(await startBenchAgent({ dataDir }));
    const storage = openSqlite(path);
    opened.defer(() => storage.close());
    const store = new EventStore(storage);
    const resources = opened.move();
    let round = 0;
    return {
      work: async () => {
        const consumer = `/api/events/consumers/bench-${round++}`;
        await send(agent, "PUT", consumer, { subject: "hub.>", start: "first", max_in_flight: 10_000 });
        const started = performance.now();
        const counts = await Promise.all(Array.from({ length: workers }, () => work(agent, consumer)));
        const seconds = (performance.now() - started) / 1000;
        demandAll(counts.reduce((sum, count) => sum + count));
        return { figure: events / seconds };
      },
      baseline: async () => {
        const started = performance.now();
        demandAll(await readAll(store));
        return { figure: events / ((performance.now() - started) / 1000) };
      },
      [Symbol.asyncDispose]: () => resources.disposeAsync(),
    };
  },
};

/** Stores the events before the agent starts. */
async function fill(path: string): Promise<void> {
  const storage = openSqlite(path);
  await storage.migrate("event-store", migrations);
  const store = new EventStore(storage);
  for (let stored = 0; stored < events; stored += pageSize) {
    const draft = () => eventDraft(`hub.${benchNodeId}.bench.stored`, { data: samplePayload });
    await store.append(Array.from({ length: pageSize }, draft), Date.now());
  }
  await storage.close();
}

/** One worker: fetches and acknowledges until nothing is left; returns how many events it had. */
async function work(agent: Agent, consumer: string): Promise<number> {
  for (let count = 0;;) {
    const { items } = await send(agent, "POST", `${consumer}/fetch`, { limit: pageSize }) as {
      items: readonly { readonly token: string }[];
    };
    if (items.length === 0) return count;
    await send(agent, "POST", `${consumer}/ack`, { tokens: items.map(({ token }) => token) });
    count += items.length;
  }
}

async function send(agent: Agent, method: string, path: string, body: unknown): Promise<unknown> {
  const headers = { "content-type": "application/json" };
  const response = await agent.fetch(path, { method, headers, body: JSON.stringify(body) });
  if (response.ok) return await response.json();
  throw new Error(`Cannot go on: ${method} ${path} was answered with ${await response.text()}`);
}

async function readAll(store: EventStore): Promise<number> {
  for (let read = 0, from = 1;;) {
    const { rows } = await store.page({ from, to: events }, { limit: pageSize });
    if (rows.length === 0) return read;
    read += rows.length;
    from = rows.at(-1)!.seq + 1;
  }
}

function demandAll(count: number): void {
  if (count !== events) throw new Error(`Cannot go on: expected ${events} events, got ${count}`);
}
