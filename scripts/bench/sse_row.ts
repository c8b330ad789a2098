import { join } from "node:path";
import { eventColumns, type EventRow } from "../../plugins/event-store/tables.ts";
import type { Agent } from "../../tests/support/run_agent.ts";
import { benchNodeId, startBenchAgent } from "./bench_agent.ts";
import { cpuSecondsOf } from "./cpu_time.ts";
import { EventTable, makeRows } from "./event_table.ts";
import type { Measurement, Row } from "./row.ts";

const events = 100_000;
const batch = 1000;

/** History to a reader of the live stream. */
export const sseRow: Row = {
  name: "sse",
  work: "100,000 stored events over GET /api/events/sse, read by this process",
  baseline: "the driver's cursor over the same table and JSON.stringify of the same items, in this process",
  unit: "events/s",
  goal: { kind: "ratio", atLeast: 0.3 },
  open: async () => {
    await using opened = new AsyncDisposableStack();
    const dataDir = await Deno.makeTempDir({ prefix: "commandcenter-bench-" });
    opened.defer(() => Deno.remove(dataDir, { recursive: true }));
    const table = opened.use(await fill(join(dataDir, "commandcenter.db")));
    const agent = opened.use(await startBenchAgent({ dataDir }));
    const resources = opened.move();
    return {
      work: () => follow(agent),
      baseline: () => Promise.resolve(readCursor(table)),
      [Symbol.asyncDispose]: () => resources.disposeAsync(),
    };
  },
};

/** Stores the events before the agent starts, as ones that have reached the bus already. */
async function fill(path: string): Promise<EventTable> {
  const table = await EventTable.open(path);
  let previous: string | undefined;
  for (let after = 0; after < events; after += batch) {
    const rows = makeRows(batch, { after, nodeId: benchNodeId, ...(previous ? { previous } : {}) });
    table.append(rows);
    previous = rows.at(-1)!.hash;
  }
  table.database.prepare("update event_store_head set seq = ?, stored_ms = ?, hash = ?, events = ?")
    .run(events, Date.now(), previous ?? "", events);
  table.database.prepare("insert into event_store_relay values (?, ?, ?)").run(benchNodeId, events, "memory");
  return table;
}

async function follow(agent: Agent): Promise<Measurement> {
  const last = new TextEncoder().encode(`id: ${events}\n`);
  const cpuBefore = cpuSecondsOf(agent.pid) ?? NaN;
  const started = performance.now();
  const answer = await agent.fetch("/api/events/sse?after_seq=0");
  let sizeBytes = 0;
  let tail: Uint8Array = new Uint8Array();
  for await (const chunk of answer.body!) {
    sizeBytes += chunk.length;
    tail = joined(tail, chunk);
    if (holds(tail, last)) break;
  }
  const seconds = (performance.now() - started) / 1000;
  const cpuSeconds = (cpuSecondsOf(agent.pid) ?? NaN) - cpuBefore;
  return {
    figure: events / seconds,
    also: { megabytes: sizeBytes / 1e6, server_busy_percent: cpuSeconds / seconds * 100 },
  };
}

/** The end of what has been read, long enough to hold the last event whole. */
function joined(tail: Uint8Array, chunk: Uint8Array): Uint8Array {
  const keep = 4096;
  if (chunk.length >= keep) return chunk.subarray(-keep);
  const both = new Uint8Array(tail.length + chunk.length);
  both.set(tail);
  both.set(chunk, tail.length);
  return both.subarray(-keep);
}

function holds(bytes: Uint8Array, wanted: Uint8Array): boolean {
  return new TextDecoder("latin1").decode(bytes).includes(new TextDecoder().decode(wanted));
}

function readCursor({ database }: EventTable): Measurement {
  const statement = database.prepare(`select ${eventColumns.join(", ")} from event_store_event order by seq`);
  let sizeBytes = 0;
  const started = performance.now();
  for (const row of statement.iterate()) sizeBytes += itemText(row as unknown as EventRow).length;
  const seconds = (performance.now() - started) / 1000;
  return { figure: events / seconds, also: { megabytes: sizeBytes / 1e6 } };
}

function itemText(row: EventRow): string {
  return JSON.stringify({
    id: row.id,
    seq: row.seq,
    subject: row.subject,
    type: row.type,
    origin: { node_id: row.node_id, service: row.service, user: row.user_name },
    project: row.project,
    correlation_id: row.correlation_id,
    causation_id: row.causation_id,
    timestamp: row.time,
    payload: JSON.parse(row.payload),
  });
}
