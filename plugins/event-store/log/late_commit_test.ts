import { expect } from "expect";
import fc from "fast-check";
import { sql } from "kysely";
import { z } from "zod";
import { definePlugin, type Host } from "../../../core/plugin.ts";
import { createDatabase } from "../../../tests/support/postgres.ts";
import { startTestKernel, type TestKernel } from "../../../tests/support/test_kernel.ts";
import { testWithPostgres } from "../../../tests/support/test_with.ts";
import { waitFor, within } from "../../../tests/support/wait_for.ts";
import eventStore from "../plugin.ts";

const tried = { type: "order.tried", schema: z.object({ name: z.string() }) };

interface Agent extends AsyncDisposable {
  readonly kernel: TestKernel;
  readonly host: Host;
}

/** Three agents on one database. */
async function startAgents(storageUrl: string): Promise<readonly [Agent, Agent, Agent]> {
  const start = async (nodeId: string): Promise<Agent> => {
    let host: Host | undefined;
    const writer = definePlugin({
      name: "writer",
      summary: "Publishes in transactions",
      config: z.strictObject({}),
      prefixes: [],
      start: (given) => void (host = given),
    });
    const kernel = await startTestKernel({ plugins: [eventStore, writer], storageUrl, nodeId });
    return { kernel, host: host!, [Symbol.asyncDispose]: () => kernel[Symbol.asyncDispose]() };
  };
  return [await start("hub-a"), await start("hub-b"), await start("hub-c")];
}

/** What a follower has seen, in its order. */
interface Follower extends AsyncDisposable {
  readonly seen: { readonly seq: number; readonly name: string }[];
}

interface Item {
  readonly seq: number;
  readonly payload: { readonly name: string };
}

/** Asks again and again for what lies behind the last sequence it saw. */
function follow({ kernel }: Agent): Follower {
  const seen: Follower["seen"] = [];
  let stopped = false;
  const reading = (async () => {
    while (!stopped) {
      const answer = await kernel.fetch(`/api/events?limit=7&after_seq=${seen.at(-1)?.seq ?? 0}`);
      const { items }: { items: Item[] } = await answer.json();
      seen.push(...items.map(({ seq, payload }) => ({ seq, name: payload.name })));
    }
  })();
  return {
    seen,
    [Symbol.asyncDispose]: async () => {
      stopped = true;
      await reading;
    },
  };
}

/** Follows over server-sent events. */
async function stream({ kernel }: Agent): Promise<Follower> {
  const seen: Follower["seen"] = [];
  const cut = new AbortController();
  const answer = await kernel.fetch("/api/events/sse?after_seq=0", { signal: cut.signal });
  const reading = (async () => {
    let text = "";
    for await (const chunk of answer.body!.pipeThrough(new TextDecoderStream())) {
      const lines = (text + chunk).split("\n");
      text = lines.pop()!;
      for (const line of lines.filter((each) => each.startsWith("data: "))) {
        const { seq, payload }: Item = JSON.parse(line.slice(6));
        seen.push({ seq, name: payload.name });
      }
    }
  })().catch((error) => {
    if (!cut.signal.aborted) throw error;
  });
  return {
    seen,
    [Symbol.asyncDispose]: async () => {
      cut.abort();
      await reading;
    },
  };
}

/** Fails unless everything came, once, in rising order. */
async function expectAll(followers: readonly Follower[], names: readonly string[]): Promise<void> {
  for (const { seen } of followers) {
    await waitFor(() => seen.length >= names.length, { what: `${names.length} events to come` });
    expect(seen.map(({ name }) => name).toSorted()).toEqual(names.toSorted());
    expect(seen.map(({ seq }) => seq)).toEqual(names.map((_, index) => index + 1));
  }
}

testWithPostgres(
  "a transaction that commits late comes late, is not skipped, and holds nobody up",
  async () => {
    await using database = await createDatabase();
    const agents = await startAgents(database.url);
    const [late, second, third] = agents;
    await using _agents = disposeAll(agents);
    await using byList = follow(second);
    await using bySse = await stream(third);
    const published = Promise.withResolvers<void>();
    const gate = Promise.withResolvers<void>();
    const transaction = late.host.db.transaction().execute(async (trx) => {
      await late.host.publish(tried, { name: "late" }, { trx });
      published.resolve();
      await gate.promise;
    });
    await using _open = {
      [Symbol.asyncDispose]: async () => {
        gate.resolve();
        await transaction;
      },
    };
    await published.promise;
    const names = Array.from({ length: 30 }, (_, index) => `prompt-${index}`);
    const prompt = names.map((name, index) => agents[index % 3]!.host.publish(tried, { name }));
    // Whoever had to wait for the open transaction would wait for ever.
    await within(Promise.all(prompt), { what: "the others to publish", timeoutMs: 10_000 });
    await expectAll([byList, bySse], names);
    gate.resolve();
    await transaction;
    await expectAll([byList, bySse], [...names, "late"]);
    expect(byList.seen.at(-1)).toEqual({ seq: 31, name: "late" });
  },
);

testWithPostgres(
  "whatever overlaps, a follower sees every committed event once, in rising order",
  async () => {
    const seed = Date.now() % 2 ** 31;
    await using database = await createDatabase();
    const agents = await startAgents(database.url);
    await using _agents = disposeAll(agents);
    await using byList = follow(agents[1]);
    await using bySse = await stream(agents[2]);
    const plans = fc.sample(
      fc.record({
        events: fc.integer({ min: 1, max: 3 }),
        holdMs: fc.nat(40),
        commits: fc.boolean(),
        own: fc.boolean(),
      }),
      { numRuns: 120, seed },
    );
    const committed: string[] = [];
    const write = async (writer: number) => {
      const { host } = agents[writer % 3]!;
      for (let index = writer; index < plans.length; index += 9) {
        const { events, holdMs, commits, own } = plans[index]!;
        const names = Array.from({ length: events }, (_, event) => `${index}-${event}`);
        const work = host.db.transaction().execute(async (trx) => {
          for (const name of names) {
            await host.publish(tried, { name }, { trx });
            await sql`select pg_sleep(${holdMs / 1000})`.execute(trx);
          }
          if (!commits) throw new Error("changed my mind");
        });
        if (commits) committed.push(...names);
        await (commits ? work : expect(work).rejects.toThrow("changed my mind"));
        if (!own) continue;
        await host.publish(tried, { name: `${index}-own` });
        committed.push(`${index}-own`);
      }
    };
    try {
      await Promise.all(Array.from({ length: 9 }, (_, writer) => write(writer)));
      await expectAll([byList, bySse], committed);
    } catch (cause) {
      throw new Error(`Seed ${seed}`, { cause });
    }
  },
);

function disposeAll(agents: readonly Agent[]): AsyncDisposable {
  return {
    [Symbol.asyncDispose]: async () => {
      for (const agent of agents) await agent[Symbol.asyncDispose]();
    },
  };
}
