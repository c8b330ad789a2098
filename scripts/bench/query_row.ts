import { join } from "node:path";
import type { Agent } from "../../tests/support/run_agent.ts";
import { benchNodeId, startBenchAgent } from "./bench_agent.ts";
import { EventTable, makeRows } from "./event_table.ts";
import type { Measurement, Row } from "./row.ts";
import { quantile } from "./summary.ts";

const manyEvents = 1_000_000;
const fewerEvents = 100_000;
/** Rare events, in either log: as many as a page holds, so that both have the same to answer. */
const rareEvents = 100;
const batch = 1000;
/** Requests of one round for each pattern in each order. */
const requests = 150;
const words = ["created", "changed", "paid", "packed", "shipped", "returned", "noted", "closed", "archived"];

/** Pattern by name; what share of the larger log it matches. */
const patterns = {
  rare: "hub.*.order.refused.>", // 1 in 10,000
  medium: "hub.*.invoice.*", // 1 in 100
  dense: "hub.*.order.>",
};
const searches = Object.entries(patterns).flatMap(([name, pattern]) =>
  ["asc", "desc"].map((order) => ({
    name: `${name}_${order}_ms`,
    path: `/api/events?subject=${encodeURIComponent(pattern)}&order=${order}&limit=100`,
  }))
);

/** A search by pattern must not become slower with the log. */
export const queryRow: Row = {
  name: "query",
  work: "first page (100) of GET /api/events by wildcard, 1,000,000 events of 200 subjects, " +
    "p99 of the slowest pattern and order",
  baseline: "the same in 100,000 events",
  unit: "ms",
  goal: { kind: "growth", atMost: 2, of: searches.map(({ name }) => name), below: 20 },
  open: async () => {
    await using opened = new AsyncDisposableStack();
    const large = opened.use(await startFilled(manyEvents));
    const small = opened.use(await startFilled(fewerEvents));
    const resources = opened.move();
    return {
      work: () => search(large.agent),
      baseline: () => search(small.agent),
      [Symbol.asyncDispose]: () => resources.disposeAsync(),
    };
  },
};

interface FilledAgent extends AsyncDisposable {
  readonly agent: Agent;
}

async function startFilled(events: number): Promise<FilledAgent> {
  await using opened = new AsyncDisposableStack();
  const dataDir = await Deno.makeTempDir({ prefix: "commandcenter-bench-" });
  opened.defer(() => Deno.remove(dataDir, { recursive: true }));
  await fill(join(dataDir, "commandcenter.db"), events);
  const agent = opened.use(await startBenchAgent({ dataDir }));
  const resources = opened.move();
  return { agent, [Symbol.asyncDispose]: () => resources.disposeAsync() };
}

/** Stores the events before the agent starts, as ones that have reached the bus already. */
async function fill(path: string, events: number): Promise<void> {
  using table = await EventTable.open(path);
  table.database.exec("pragma synchronous = off"); // nobody measures this
  const subjectOf = (seq: number) => mixedSubject(seq, Math.floor(events / rareEvents));
  let previous: string | undefined;
  for (let after = 0; after < events; after += batch) {
    const rows = makeRows(batch, {
      after,
      nodeId: benchNodeId,
      subjectOf,
      ...(previous ? { previous } : {}),
    });
    table.append(rows);
    previous = rows.at(-1)!.hash;
  }
  table.database.prepare("update event_store_head set seq = ?, stored_ms = ?, hash = ?, events = ?")
    .run(events, Date.now(), previous ?? "", events);
  table.database.prepare("insert into event_store_relay values (?, ?, ?)").run(benchNodeId, events, "memory");
}

/** Twenty nodes with nine kinds of orders each, one in a hundred an invoice, one in `rareEvery` something rare. */
function mixedSubject(seq: number, rareEvery: number): string {
  const node = `hub.node-${(seq * 7 + Math.floor(seq / 140)) % 20}`;
  if (seq % rareEvery === Math.floor(rareEvery / 2)) return `${node}.order.refused.late`;
  if (seq % 100 === 51) return `${node}.invoice.${words[Math.floor(seq / 100) % words.length]}`;
  return `${node}.order.${words[Math.floor(seq / 20) % words.length]}`;
}

async function search(agent: Agent): Promise<Measurement> {
  const times = new Map(searches.map(({ name }) => [name, [] as number[]]));
  for (let turn = 0; turn < requests; turn++) {
    for (const { name, path } of searches) {
      const started = performance.now();
      await firstPage(agent, path);
      times.get(name)!.push(performance.now() - started);
    }
  }
  const sorted = [...times].map(([name, list]) => [name, list.sort((a, b) => a - b)] as const);
  return {
    figure: Math.max(...sorted.map(([, list]) => quantile(list, 0.99))),
    also: Object.fromEntries(sorted.map(([name, list]) => [name, quantile(list, 0.5)])),
  };
}

async function firstPage(agent: Agent, path: string): Promise<void> {
  const answer = await agent.fetch(path);
  const { items } = await answer.json();
  if (items.length !== 100) {
    throw new Error(`Cannot go on: expected 100 events for "${path}", got ${items.length}`);
  }
}
