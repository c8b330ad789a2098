import { expect } from "expect";
import fc from "fast-check";
import { getLogger } from "../../../core/log.ts";
import type { Storage } from "../../../core/storage/storage.ts";
import { eventDraft as draft } from "../../../tests/support/event_draft.ts";
import { testOnEveryStorage } from "../../../tests/support/every_storage.ts";
import { waitFor } from "../../../tests/support/wait_for.ts";
import { compileFilter } from "../stream/event_feed.ts";
import type { EventFilter } from "./event_filter.ts";
import { EventTail } from "../log/event_tail.ts";
import { migrations } from "../migrations.ts";
import { scanEvents, type ScanOptions } from "./scan_events.ts";
import { SubjectCatalog } from "./subject_catalog.ts";
import { EventIndex } from "./event_index.ts";
import { EventStore } from "../store.ts";
import type { EventRow, EventStoreTables } from "../tables.ts";

/** Counts the looks at events. */
class CountingStore extends EventStore {
  pages = 0;

  override page(...given: Parameters<EventStore["page"]>): ReturnType<EventStore["page"]> {
    this.pages++;
    return super.page(...given);
  }
}

async function openStore(storage: Storage): Promise<CountingStore> {
  await storage.migrate("event-store", migrations);
  return new CountingStore(storage);
}

/** Works with a catalog of what the log holds by now, and of nothing that comes later. */
async function withCatalog(
  { storage, store }: { storage: Storage; store: EventStore },
  work: (subjects: SubjectCatalog) => Promise<void>,
): Promise<void> {
  const log = getLogger("test");
  const tail = new EventTail({ store, log });
  await tail.start();
  const subjects = new SubjectCatalog({ index: new EventIndex(storage), tail, log });
  const stop = new AbortController();
  const following = subjects.follow(stop.signal);
  try {
    await waitFor(() => subjects.choose({ type: "*" }) !== undefined, { what: "the catalog" });
    await work(subjects);
  } finally {
    stop.abort();
    await following;
  }
}

/** As retention leaves it: the events of a range are gone, the numbering goes on. */
async function remove(storage: Storage, { from, to }: { from: number; to: number }): Promise<void> {
  await storage.tables<EventStoreTables>().deleteFrom("event_store_event")
    .where("seq", ">=", from).where("seq", "<=", to).execute();
}

/** As if that many events had been stored, and been removed again. */
async function skip(storage: Storage, count: number): Promise<void> {
  await storage.tables<EventStoreTables>().updateTable("event_store_head")
    .set(({ eb }) => ({ seq: eb("seq", "+", count) })).execute();
}

/** Follows the pages to the end. */
async function collect(store: EventStore, options: ScanOptions): Promise<number[][]> {
  const pages: number[][] = [];
  for (let { from, to } = options;;) {
    const { rows, scannedTo, complete } = await scanEvents(store, {
      ...options,
      from,
      ...(to === undefined ? {} : { to }),
    });
    pages.push(rows.map((row) => row.seq));
    if (complete) return pages;
    if (options.order === "asc") from = scannedTo + 1;
    else to = scannedTo - 1;
  }
}

const nodes = Array.from({ length: 12 }, (_, index) => `node-${index}`);
const words = ["order", "invoice", "job", "run", "a", "b", "c"];

/** Some 300 subjects, a few of them common, most of them rare; with projects, and times that are no rule. */
function randomDrafts(count: number, seed: number) {
  const shape = fc.record({
    node: fc.constantFrom(...nodes),
    tokens: fc.tuple(fc.constantFrom(...words), fc.constantFrom(...words)),
    isCommon: fc.boolean(),
    project: fc.constantFrom(null, null, "one", "two"),
    minute: fc.integer({ min: 0, max: 59 }),
  });
  return fc.sample(shape, { numRuns: count, seed }).map(({ node, tokens, isCommon, project, minute }) => {
    const origin = { nodeId: node, service: "api", user: null };
    const time = new Date(Date.UTC(2026, 0, 1, 0, minute)).toISOString();
    return draft(`hub.${node}.${isCommon ? "order.made" : tokens.join(".")}`, { project, origin, time });
  });
}

async function fillAtRandom(storage: Storage, store: EventStore): Promise<void> {
  const drafts = randomDrafts(4500, 11);
  for (let minute = 0; minute < 30; minute++) {
    const nowMs = Date.UTC(2026, 0, 1, 0, minute * 2);
    await store.append(drafts.slice(minute * 150, minute * 150 + 150), nowMs);
    if (minute % 10 === 5) await skip(storage, 3_000_000);
  }
  for (const range of [{ from: 1, to: 40 }, { from: 700, to: 760 }, { from: 3_001_000, to: 3_001_400 }]) {
    await remove(storage, range);
  }
}

const part = fc.constantFrom("*", "*", ...words, "made", "node-3");
const type = fc.oneof(
  fc.tuple(part, part).map((parts) => parts.join(".")),
  fc.constantFrom(">", "job.>", "order.made", "none.>"),
);
const pattern = fc.oneof(
  fc.tuple(fc.constantFrom("*", ...nodes), part, part).map((parts) => `hub.${parts.join(".")}`),
  fc.constantFrom(">", "hub.>", "hub.*.run.>", "hub.node-1.>", "hub.node-2.a.b", "hub.none.>"),
);
const time = fc.integer({ min: 0, max: 59 })
  .map((minute) => new Date(Date.UTC(2026, 0, 1, 0, minute)).toISOString());
const filters: fc.Arbitrary<EventFilter> = fc.record({
  subject: fc.option(pattern, { nil: undefined }),
  type: fc.option(type, { nil: undefined, freq: 2 }),
  project: fc.option(fc.constantFrom("one", "two"), { nil: undefined, freq: 1 }),
  projects: fc.option(fc.constantFrom([], ["one"], ["one", "two"]), { nil: undefined, freq: 1 }),
  origin: fc.option(fc.constantFrom(...nodes), { nil: undefined, freq: 1 }),
  since: fc.option(time, { nil: undefined, freq: 1 }),
  until: fc.option(time, { nil: undefined, freq: 1 }),
});

testOnEveryStorage("what the catalog finds is what a look at every event finds", async (storage) => {
  const store = await openStore(storage);
  await fillAtRandom(storage, store);
  await withCatalog({ storage, store }, async (subjects) => {
    // Behind the catalog's back: subjects that it knows, and one that it does not.
    await store.append([draft("hub.node-99.run.a"), ...randomDrafts(300, 12)], Date.UTC(2026, 0, 1, 1));
    const all = await readAll(store);
    const last = all.at(-1)!.seq;
    await fc.assert(
      fc.asyncProperty(
        filters,
        fc.constantFrom("asc" as const, "desc" as const),
        fc.constantFrom(1, 7, 100, 1000),
        fc.tuple(fc.constantFrom(1, 500, 3_000_500), fc.constantFrom(last, last - 200, 3_002_000)),
        async (filter, order, limit, [from, to]) => {
          const options = { filter, order, limit, from, to };
          const matching = all.filter((row) => row.seq >= from && row.seq <= to)
            .filter(compileFilter(filter)).map((row) => row.seq);
          if (limit < 100 && matching.length > 40 * limit) return; // the same again and again
          const plain = await collect(store, options);
          const quick = await collect(store, { ...options, subjects });
          expect(plain.flat()).toEqual(order === "asc" ? matching : matching.toReversed());
          expect(quick).toEqual(plain);
        },
      ),
      { numRuns: 150, seed: 5 },
    );
  });
});

async function readAll(store: EventStore): Promise<readonly EventRow[]> {
  const { rows } = await scanEvents(store, { filter: {}, order: "asc", from: 1, limit: 1_000_000 });
  return rows;
}

testOnEveryStorage("a rare subject is found without a look at the others", async (storage) => {
  const store = await openStore(storage);
  for (let batch = 0; batch < 6; batch++) {
    await store.append(Array.from({ length: 2000 }, (_, index) => draft(`hub.a.common.n${index % 150}`)), 1);
    await store.append([draft("hub.a.rare.event")], 1);
  }
  await withCatalog({ storage, store }, async (subjects) => {
    for (const filter of [{ subject: "hub.*.rare.>" }, { type: "rare.event" }, { subject: "hub.no.>" }]) {
      store.pages = 0;
      const { rows, complete } = await scanEvents(store, {
        filter,
        order: "desc",
        from: 1,
        limit: 100,
        subjects,
      });
      const found = filter.subject === "hub.no.>" ? [] : [6, 5, 4, 3, 2, 1].map((batch) => batch * 2001);
      expect({ filter, seqs: rows.map((row) => row.seq), complete, pages: store.pages })
        .toEqual({ filter, seqs: found, complete: true, pages: 1 });
    }
  });
});

testOnEveryStorage("what a key that is limited to projects may see is found at once", async (storage) => {
  const store = await openStore(storage);
  const projects = [null, "large", "large", "large"];
  for (let batch = 0; batch < 3; batch++) {
    await store.append(
      Array.from({ length: 3000 }, (_, n) => draft(`hub.a.demo.n${n % 150}`, { project: projects[n % 4]! })),
      1,
    );
    await store.append([draft("hub.a.demo.n1", { project: "small" })], 1);
  }
  await withCatalog({ storage, store }, async (subjects) => {
    for (const filter of [{ projects: ["small", "none"] }, { project: "small", projects: ["small"] }]) {
      store.pages = 0;
      const { rows } = await scanEvents(store, { filter, order: "desc", from: 1, limit: 100, subjects });
      expect(rows.map((row) => row.seq)).toEqual([9003, 6002, 3001]);
      expect(store.pages).toBe(1);
    }
  });
});

testOnEveryStorage(
  "where billions of events were removed, the search goes on behind them at once",
  async (storage) => {
    const store = await openStore(storage);
    const batch = () => [draft("hub.a.demo.first"), draft("hub.a.demo.second")];
    await store.append(batch(), 1);
    await skip(storage, 5_000_000_000);
    await store.append(batch(), 1);
    await skip(storage, 5_000_000_000);
    const expected = [2, 5_000_000_004];
    for (const order of ["asc", "desc"] as const) {
      store.pages = 0;
      const filter = { type: "demo.second" };
      const { rows, complete, scannedTo } = await scanEvents(store, { filter, order, from: 1, limit: 10 });
      expect(complete).toBe(true);
      expect(scannedTo).toBe(order === "asc" ? 10_000_000_004 : 1);
      expect(rows.map((row) => row.seq)).toEqual(order === "asc" ? expected : expected.toReversed());
      expect(store.pages).toBeLessThan(6);
    }
  },
);

testOnEveryStorage("an event counts as of its own time, but of none after it was stored", async (storage) => {
  const store = await openStore(storage);
  const at = (hour: number) => new Date(Date.UTC(2026, 0, 1, hour)).toISOString();
  // [what its author's clock said, when it was stored]
  for (const [time, stored] of [[10, 10], [8, 11], [15, 12], [13, 13]] as const) {
    await store.append([draft("hub.a.demo.event", { time: at(time) })], Date.parse(at(stored)));
  }
  const all = await readAll(store);
  const table: [EventFilter, number[]][] = [
    [{ since: at(9) }, [1, 3, 4]],
    [{ since: at(11) }, [3, 4]],
    [{ since: at(12) }, [3, 4]],
    [{ since: at(13) }, [4]],
    [{ until: at(9) }, [2]],
    [{ until: at(12) }, [1, 2, 3]],
    [{ until: at(14) }, [1, 2, 3, 4]],
    [{ since: at(8), until: at(8) }, [2]],
  ];
  for (const [filter, seqs] of table) {
    expect([filter, all.filter(compileFilter(filter)).map((row) => row.seq)]).toEqual([filter, seqs]);
    const selected = await store.range({ from: 1, to: 10 }, { filter, limit: 10 });
    expect([filter, selected.map((row) => row.seq)]).toEqual([filter, seqs]);
    for (const order of ["asc", "desc"] as const) {
      const { rows } = await scanEvents(store, { filter, order, from: 1, limit: 10 });
      expect([filter, rows.map((row) => row.seq).toSorted()]).toEqual([filter, seqs]);
    }
  }
});
