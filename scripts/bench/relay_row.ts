import { jetstream } from "@nats-io/jetstream";
import { connect, headers as newHeaders } from "@nats-io/transport-node";
import { join } from "node:path";
import { eventHeaders } from "../../plugins/event-store/relay/event_headers.ts";
import eventStore from "../../plugins/event-store/plugin.ts";
import { type NatsServer, startNatsServer } from "../../tests/support/nats_server.ts";
import { whyMissing } from "../../tests/support/requirement.ts";
import { startTestKernel } from "../../tests/support/test_kernel.ts";
import { waitFor } from "../../tests/support/wait_for.ts";
import { benchNodeId } from "./bench_agent.ts";
import { EventTable, makeRows, samplePayload } from "./event_table.ts";
import type { Measurement, Row } from "./row.ts";

const events = 100_000;
const batch = 1000;
/** As `relay.window` is by default. */
const window = 256;

/** A backlog on its way to JetStream. */
export const relayRow: Row = {
  name: "relay",
  work: "a kernel in this process relays 100,000 stored events (SQLite) to JetStream, file storage",
  baseline: "js.publish of the same payloads, ids and headers alone, same client, 256 at once",
  unit: "events/s",
  goal: { kind: "ratio", atLeast: 0.7 },
  missing: () => whyMissing("nats"),
  open: async () => {
    await using opened = new AsyncDisposableStack();
    const folder = await Deno.makeTempDir({ prefix: "commandcenter-bench-" });
    opened.defer(() => Deno.remove(folder, { recursive: true }));
    const filled = join(folder, "filled.db");
    await fill(filled);
    const resources = opened.move();
    return {
      work: () => relay(folder, filled),
      baseline: () => publish(folder),
      [Symbol.asyncDispose]: () => resources.disposeAsync(),
    };
  },
};

/** The server as it is installed: a sync for each message, as the tests have it, would hide what the client costs. */
function startServer(folder: string): Promise<NatsServer> {
  return startNatsServer({
    jetstream: false,
    config: `jetstream { store_dir: ${JSON.stringify(join(folder, crypto.randomUUID()))} }`,
  });
}

async function fill(path: string): Promise<void> {
  using table = await EventTable.open(path);
  let previous: string | undefined;
  for (let after = 0; after < events; after += batch) {
    const rows = makeRows(batch, { after, nodeId: benchNodeId, ...(previous ? { previous } : {}) });
    table.append(rows);
    previous = rows.at(-1)!.hash;
  }
  table.database.prepare("update event_store_head set seq = ?, stored_ms = ?, hash = ?, events = ?")
    .run(events, Date.now(), previous ?? "", events);
  table.database.exec("pragma wal_checkpoint(truncate)");
}

async function relay(folder: string, filled: string): Promise<Measurement> {
  await using nats = await startServer(folder);
  const dataDir = await Deno.makeTempDir({ prefix: "commandcenter-bench-" });
  try {
    await Deno.copyFile(filled, join(dataDir, "commandcenter.db"));
    await using kernel = await startTestKernel({
      plugins: [eventStore],
      busUrl: nats.url,
      nodeId: benchNodeId,
      dataDir,
    });
    const seq = async () => (await (await kernel.fetch("/api/events/stats")).json()).relay.seq ?? 0;
    const first = await seq();
    const started = performance.now();
    await waitFor(async () => await seq() === events, { what: "the relay", timeoutMs: 120_000, pollMs: 20 });
    return { figure: (events - first) / ((performance.now() - started) / 1000) };
  } finally {
    await Deno.remove(dataDir, { recursive: true });
  }
}

async function publish(folder: string): Promise<Measurement> {
  await using nats = await startServer(folder);
  // As the agent connects, see core/bus/nats_connection.ts.
  const connection = await connect({ servers: nats.url, reconnect: false, noAsyncTraces: true });
  const client = jetstream(connection);
  const manager = await client.jetstreamManager();
  await manager.streams.add({
    name: "COMMANDCENTER_EVENTS",
    subjects: ["hub.*.*.>"],
    duplicate_window: 120e9,
  });
  const messages = makeRows(events, { after: 0, nodeId: benchNodeId })
    .map((row) => ({ subject: row.subject, msgID: `${row.node_id}:${row.id}`, named: eventHeaders(row) }));
  const data = new TextEncoder().encode(JSON.stringify(samplePayload));
  const started = performance.now();
  let next = 0;
  await Promise.all(Array.from({ length: window }, async () => {
    while (next < messages.length) {
      const { subject, msgID, named } = messages[next++]!;
      const headers = newHeaders();
      for (const [name, value] of Object.entries(named)) headers.append(name, value);
      await client.publish(subject, data, { msgID, headers });
    }
  }));
  const seconds = (performance.now() - started) / 1000;
  await connection.close();
  return { figure: events / seconds };
}
