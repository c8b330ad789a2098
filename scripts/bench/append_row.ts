import { join } from "node:path";
import { startBenchKernel } from "./bench_kernel.ts";
import { EventTable, makeRows } from "./event_table.ts";
import type { Contest, Row } from "./row.ts";

const publishers = 64;
const eventsPerTurn = 1024;

const baseline = "prepared inserts, one transaction per 64, same table and indexes, ids in order of time";

/** `host.publish` of a kernel in this process beside the bare driver. */
export const appendRow: Row = {
  name: "append",
  work: "host.publish, 64 at once, SQLite, bus in memory without a subscriber",
  baseline,
  unit: "events/s",
  goal: { kind: "ratio", atLeast: 0.5 },
  turns: 16,
  open: () => openContest({ subscribed: false }),
};

/** The same while a plugin listens, so that the relay has to put every event on the bus. */
export const appendSubscribedRow: Row = {
  name: "append-subscribed",
  work: "the same while a plugin subscribes to these events",
  baseline,
  unit: "events/s",
  goal: { kind: "none" },
  turns: 16,
  open: () => openContest({ subscribed: true }),
};

async function openContest({ subscribed }: { subscribed: boolean }): Promise<Contest> {
  await using opened = new AsyncDisposableStack();
  const folder = await Deno.makeTempDir({ prefix: "commandcenter-bench-" });
  opened.defer(() => Deno.remove(folder, { recursive: true }));
  const kernel = opened.use(await startBenchKernel({ storageUrl: "sqlite:", subscribed }));
  const table = opened.use(await EventTable.open(join(folder, "baseline.db")));
  const resources = opened.move();
  let stored = 0;
  return {
    work: async () => {
      const seconds = await publishFrom(publishers, { count: eventsPerTurn, publish: kernel.publish });
      const lag = await kernel.relayLag();
      await kernel.idle();
      return { figure: eventsPerTurn / seconds, also: { relay_lag_events: lag } };
    },
    baseline: () => {
      const rows = makeRows(eventsPerTurn, { after: stored, nodeId: "bench" });
      const started = performance.now();
      for (let start = 0; start < rows.length; start += publishers) {
        table.append(rows.slice(start, start + publishers));
      }
      stored += rows.length;
      return Promise.resolve({ figure: eventsPerTurn / ((performance.now() - started) / 1000) });
    },
    [Symbol.asyncDispose]: () => resources.disposeAsync(),
  };
}

/** Lets so many publishers publish one event after the other; returns the seconds until the last one is stored. */
export async function publishFrom(
  publishers: number,
  { count, publish }: { count: number; publish: () => Promise<unknown> },
): Promise<number> {
  let left = count;
  const started = performance.now();
  await Promise.all(Array.from({ length: publishers }, async () => {
    while (left-- > 0) await publish();
  }));
  return (performance.now() - started) / 1000;
}
