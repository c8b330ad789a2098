import { expect } from "expect";
import { sql } from "kysely";
import type { Storage } from "../../../core/storage/storage.ts";
import { testOnEveryStorage } from "../../../tests/support/every_storage.ts";
import { checksumOf, firstLink, linkAfter } from "../log/event_hash.ts";
import { migrations } from "../migrations.ts";
import type { EventContent, EventStoreTables } from "../tables.ts";

type OldEvent = Omit<EventContent, "arrival" | "attributes">;

const first = { "001_events": migrations["001_events"]! };
const both = { ...first, "002_hash_chain": migrations["002_hash_chain"]! };

function oldEvent(seq: number): OldEvent {
  return {
    seq,
    id: `order-${seq}`,
    subject: `hub.hub-a.demo.n${seq % 7}`,
    type: `demo.n${seq % 7}`,
    node_id: "hub-a",
    service: "api",
    user_name: seq % 2 ? "Jörg 🚲" : null,
    project: seq % 3 ? "one" : null,
    correlation_id: `c${seq % 10}`,
    causation_id: seq % 5 ? null : `order-${seq - 1}`,
    traceparent: null,
    time: new Date(Date.UTC(2026, 0, 1, 0, 0, seq)).toISOString(),
    stored_ms: Date.UTC(2026, 0, 1, 0, 0, seq),
    payload: JSON.stringify({ seq, text: "€".repeat(seq % 50) }),
  };
}

async function fill(storage: Storage, count: number): Promise<OldEvent[]> {
  await storage.migrate("event-store", first);
  const db = storage.tables<
    { event_store_event: OldEvent; event_store_head: { seq: number; stored_ms: number } }
  >();
  const events = Array.from({ length: count }, (_, index) => oldEvent(index + 1));
  for (let start = 0; start < count; start += 100) {
    await db.insertInto("event_store_event").values(events.slice(start, start + 100)).execute();
  }
  if (count > 0) {
    await db.updateTable("event_store_head").set({ seq: count, stored_ms: events.at(-1)!.stored_ms })
      .execute();
  }
  return events;
}

async function read(storage: Storage) {
  const db = storage.tables<EventStoreTables>();
  return {
    events: await db.selectFrom("event_store_event").selectAll().orderBy("seq").execute(),
    head: await db.selectFrom("event_store_head").selectAll().execute(),
    gaps: await db.selectFrom("event_store_gap").selectAll().execute(),
  };
}

testOnEveryStorage("an old log becomes a chain, in which every event is what it was", async (storage) => {
  const old = await fill(storage, 357);
  await storage.migrate("event-store", both);
  const { events, head, gaps } = await read(storage);
  expect(events.map(({ arrival: _a, attributes: _b, checksum: _c, hash: _d, ...rest }) => rest)).toEqual(old);
  let hash = firstLink;
  for (const event of events) {
    expect([event.arrival, event.attributes]).toEqual(["published", null]);
    expect(event.checksum).toBe(checksumOf(event));
    expect(event.hash).toBe(hash = linkAfter(hash, event));
  }
  expect(head).toEqual([{ id: 1, seq: 357, stored_ms: old.at(-1)!.stored_ms, hash, events: 357 }]);
  expect(gaps).toEqual([]);
  await storage.migrate("event-store", both);
  expect(await read(storage)).toEqual({ events, head, gaps });
});

testOnEveryStorage("an empty log begins with the first link", async (storage) => {
  await fill(storage, 0);
  await storage.migrate("event-store", both);
  expect(await read(storage)).toEqual({
    events: [],
    head: [{ id: 1, seq: 0, stored_ms: 0, hash: firstLink, events: 0 }],
    gaps: [],
  });
});

testOnEveryStorage("an id is unique on its node only, and the other indexes are there", async (storage) => {
  await fill(storage, 3);
  await storage.migrate("event-store", both);
  const db = storage.tables<EventStoreTables>();
  const [event] = (await read(storage)).events;
  await db.insertInto("event_store_event").values({ ...event!, seq: 4, node_id: "hub-b" }).execute();
  await expect(db.insertInto("event_store_event").values({ ...event!, seq: 5 }).execute()).rejects.toThrow(
    /unique/i,
  );
  const query = storage.kind === "sqlite"
    ? sql<
      { sql: string }
    >`select lower(sql) as sql from sqlite_master where type = 'index' and tbl_name = 'event_store_event'`
    : sql<
      { sql: string }
    >`select lower(indexdef) as sql from pg_indexes where tablename = 'event_store_event'`;
  const indexes = (await query.execute(db)).rows.map((row) => row.sql?.replaceAll('"', ""));
  for (const columns of ["(id, node_id)", "(subject, seq)", "(correlation_id, seq)", "(causation_id, seq)"]) {
    expect(indexes.filter((index) => index?.includes(columns))).toHaveLength(1);
  }
});
