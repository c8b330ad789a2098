import { expect } from "expect";
import fc from "fast-check";
import { compilePattern } from "../../core/bus/subject.ts";
import type { Storage } from "../../core/storage/storage.ts";
import { eventDraft as draft } from "../../tests/support/event_draft.ts";
import { testOnEveryStorage } from "../../tests/support/every_storage.ts";
import { compileFilter } from "./stream/event_feed.ts";
import { migrations } from "./migrations.ts";
import { scanEvents } from "./search/scan_events.ts";
import { EventStore } from "./store.ts";
import type { EventStoreTables } from "./tables.ts";

async function openStore(storage: Storage): Promise<EventStore> {
  await storage.migrate("event-store", migrations);
  return new EventStore(storage);
}

const token = fc.constantFrom("a", "b", "ab", "a-b", "a_b", "A");
const subjects = fc.array(token, { minLength: 1, maxLength: 5 }).map((tokens) => tokens.join("."));
const patterns = fc.tuple(fc.array(fc.oneof(token, fc.constant("*")), { maxLength: 4 }), fc.boolean())
  .filter(([tokens, rest]) => tokens.length > 0 || rest)
  .map(([tokens, rest]) => [...tokens, ...(rest ? [">"] : [])].join("."));

testOnEveryStorage("what SQL finds is exactly what the matcher says", async (storage) => {
  const store = await openStore(storage);
  const stored = fc.sample(subjects, { numRuns: 400, seed: 7 });
  await store.append(stored.map((subject) => draft(subject)), 1);
  await fc.assert(
    fc.asyncProperty(patterns, async (pattern) => {
      const { rows } = await scanEvents(store, {
        filter: { subject: pattern },
        order: "asc",
        from: 1,
        limit: 1000,
      });
      expect(rows.map((row) => row.subject)).toEqual(stored.filter(compilePattern(pattern)));
    }),
    { numRuns: 150, seed: 7 },
  );
});

testOnEveryStorage("every filter means in SQL what it means on a live stream", async (storage) => {
  const store = await openStore(storage);
  const drafts = Array.from(
    { length: 60 },
    (_, index) =>
      draft(`hub.${index % 2 ? "a" : "b"}.demo.n${index % 5}`, {
        project: [null, "one", "two"][index % 3]!,
        correlationId: `c${index % 4}`,
        origin: { nodeId: index % 2 ? "a" : "b", service: "api", user: null },
        time: new Date(Date.UTC(2026, 0, 1, 0, index)).toISOString(),
      }),
  );
  for (const each of drafts) await store.append([each], Date.parse(each.envelope.time));
  const all = (await scanEvents(store, { filter: {}, order: "asc", from: 1, limit: 1000 })).rows;
  expect(all).toHaveLength(60);
  const filters = [
    { type: "demo.*" },
    { type: "demo.n3" },
    { project: "one" },
    { projects: ["one", "two"] },
    { projects: [] },
    { correlationId: "c2", origin: "b" },
    { since: "2026-01-01T00:30:00.000Z" },
    { until: "2026-01-01T00:30:00.000Z", subject: "hub.a.>" },
    { since: "2026-01-01T00:10:00.000Z", until: "2026-01-01T00:20:00.000Z" },
  ];
  for (const filter of filters) {
    for (const order of ["asc", "desc"] as const) {
      const { rows, complete } = await scanEvents(store, { filter, order, from: 1, limit: 1000 });
      const expected = all.filter(compileFilter(filter)).map((row) => row.seq);
      expect({ filter, complete, seqs: rows.map((row) => row.seq) }).toEqual({
        filter,
        complete: true,
        seqs: order === "asc" ? expected : expected.toReversed(),
      });
    }
  }
});

testOnEveryStorage("pages of any size add up to the whole, in both orders", async (storage) => {
  const store = await openStore(storage);
  await store.append(Array.from({ length: 97 }, (_, index) => draft(`hub.a.demo.n${index % 3}`)), 1);
  const filter = { subject: "hub.a.demo.n1" };
  for (const limit of [1, 7, 33]) {
    const up: number[] = [];
    for (let from = 1;;) {
      const page = await scanEvents(store, { filter, order: "asc", from, limit });
      up.push(...page.rows.map((row) => row.seq));
      if (page.complete) break;
      from = page.scannedTo + 1;
    }
    const down: number[] = [];
    for (let to = 97;;) {
      const page = await scanEvents(store, { filter, order: "desc", from: 1, to, limit });
      down.push(...page.rows.map((row) => row.seq));
      if (page.complete) break;
      to = page.scannedTo - 1;
    }
    expect(up).toEqual(Array.from({ length: 32 }, (_, index) => 2 + 3 * index));
    expect(down).toEqual(up.toReversed());
  }
});

testOnEveryStorage("appends that race get sequences without gaps or repetition", async (storage) => {
  const store = await openStore(storage);
  const rounds = Array.from(
    { length: 40 },
    (_, index) => store.append([draft(`hub.a.demo.n${index}`)], index),
  );
  const plans = await Promise.all(rounds);
  const seqs = plans.flatMap((plan) => plan.rows.map((row) => row.seq)).toSorted((a, b) => a - b);
  expect(seqs).toEqual(Array.from({ length: 40 }, (_, index) => index + 1));
  const { rows } = await scanEvents(store, { filter: {}, order: "asc", from: 1, limit: 1000 });
  expect(rows.map((row) => row.stored_ms)).toEqual(
    rows.map((row) => row.stored_ms).toSorted((a, b) => a - b),
  );
});

testOnEveryStorage(
  "an event in a caller's transaction is there if and only if that commits",
  async (storage) => {
    const store = await openStore(storage);
    const db = storage.tables<EventStoreTables>();
    const failing = db.transaction().execute(async (trx) => {
      await store.appendIn(trx, { drafts: [draft("hub.a.demo.lost")], nowMs: 1 });
      throw new Error("changed my mind");
    });
    await expect(failing).rejects.toThrow("changed my mind");
    await db.transaction().execute(async (trx) => {
      await store.appendIn(trx, { drafts: [draft("hub.a.demo.kept")], nowMs: 1 });
    });
    const { rows } = await scanEvents(store, { filter: {}, order: "asc", from: 1, limit: 10 });
    expect(rows.map((row) => [row.seq, row.type])).toEqual([[1, "demo.kept"]]);
  },
);
