import { z } from "zod";
import { defineJob, definePlugin, type Host } from "../../core/plugin.ts";
import eventStore from "../../plugins/event-store/plugin.ts";
import { createDatabase } from "../../tests/support/postgres.ts";
import { startTestKernel } from "../../tests/support/test_kernel.ts";
import { waitFor } from "../../tests/support/wait_for.ts";
import { publishFrom } from "./append_row.ts";
import { samplePayload } from "./event_table.ts";
import type { Contest, Measurement, Row } from "./row.ts";
import { quantile } from "./summary.ts";

const enqueuers = 64;
const jobsPerRound = 4096;
const baselineEvents = 4096;

const sample = defineJob(
  "bench.work",
  z.object({
    order: z.int(),
    customer: z.string(),
    items: z.array(z.object({ sku: z.string(), count: z.int() })),
    note: z.string(),
  }),
);
const work =
  `p99 of host.enqueue, ${enqueuers} at once, each event stored with it, while 16 jobs run at a time`;
const baseline = `p99 of host.publish, ${enqueuers} at once, on an agent that does nothing else`;
const goal = { kind: "figure", below: 20 } as const;

/** How long a plugin waits until its job is on disk. */
export const enqueueRow: Row = {
  name: "enqueue",
  work: `${work}, SQLite`,
  baseline,
  unit: "ms",
  goal,
  open: () => openContest("sqlite:"),
};

/** The same on PostgreSQL, where `$DATABASE_URL` names one. */
export const enqueuePostgresRow: Row = {
  name: "enqueue-postgres",
  work: `${work}, PostgreSQL`,
  baseline,
  unit: "ms",
  goal: { kind: "none" },
  missing: () => Deno.env.get("DATABASE_URL") ? undefined : "DATABASE_URL names no PostgreSQL server",
  open: async () => {
    await using opened = new AsyncDisposableStack();
    const database = await createDatabase({ serverUrl: Deno.env.get("DATABASE_URL")! });
    opened.use(database);
    const contest = opened.use(await openContest(database.url));
    const resources = opened.move();
    return { ...contest, [Symbol.asyncDispose]: () => resources.disposeAsync() };
  },
};

async function openContest(storageUrl: string): Promise<Contest> {
  let host: Host | undefined;
  const bench = definePlugin({
    name: "bench",
    summary: "Enqueues as any plugin does",
    config: z.strictObject({}),
    prefixes: [],
    start: (lent) => {
      host = lent as Host;
      host.job(sample, ({ order }, run) => run.progress(order % 100), { concurrency: 16 });
    },
  });
  const kernel = await startTestKernel({ plugins: [eventStore, bench], storageUrl });
  const event = { type: "bench.stored", schema: sample.input };
  const idle = () =>
    waitFor(async () => {
      const { queue_depth, by_state } = await (await kernel.fetch("/api/jobs/statistics")).json();
      return queue_depth + by_state.running === 0;
    }, { what: "the jobs to end", timeoutMs: 120_000, pollMs: 100 });
  return {
    work: async () => {
      const figure = await timed(jobsPerRound, () => host!.enqueue(sample, samplePayload));
      await idle();
      return figure;
    },
    baseline: () => timed(baselineEvents, () => host!.publish(event, samplePayload)),
    [Symbol.asyncDispose]: () => kernel[Symbol.asyncDispose](),
  };
}

async function timed(count: number, act: () => Promise<unknown>): Promise<Measurement> {
  const times: number[] = [];
  const seconds = await publishFrom(enqueuers, {
    count,
    publish: async () => {
      const began = performance.now();
      await act();
      times.push(performance.now() - began);
    },
  });
  times.sort((one, other) => one - other);
  return {
    figure: quantile(times, 0.99),
    also: { p50_ms: quantile(times, 0.5), per_second: count / seconds },
  };
}
