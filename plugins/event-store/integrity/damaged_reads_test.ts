import { expect } from "expect";
import { getLogger } from "../../../core/log.ts";
import type { Storage } from "../../../core/storage/storage.ts";
import { eventDraft } from "../../../tests/support/event_draft.ts";
import { testOnEveryStorage } from "../../../tests/support/every_storage.ts";
import { waitFor } from "../../../tests/support/wait_for.ts";
import { DamagedEvent } from "../log/damage.ts";
import type { Draft } from "../log/draft.ts";
import { eventFeed } from "../stream/event_feed.ts";
import { EventTail } from "../log/event_tail.ts";
import { migrations } from "../migrations.ts";
import { scanEvents } from "../search/scan_events.ts";
import { EventStore } from "../store.ts";
import type { EventStoreTables } from "../tables.ts";
import { LogCondition } from "./log_condition.ts";

const draft = (id: string): Draft => ({ ...eventDraft("hub.a.demo.created", { id }), idGiven: true });

/** A log of 30 events, of which the 12th is damaged. */
async function openLog(storage: Storage): Promise<{ store: EventStore; condition: LogCondition }> {
  await storage.migrate("event-store", migrations);
  const condition = new LogCondition(getLogger("test"));
  const store = new EventStore(storage, condition);
  await store.append(Array.from({ length: 30 }, (_, index) => draft(`event-${index + 1}`)), 1);
  await damage(storage, 12);
  return { store, condition };
}

async function damage(storage: Storage, seq: number): Promise<void> {
  await storage.tables<EventStoreTables>().updateTable("event_store_event").set({ payload: '{"a":1}' })
    .where("seq", "=", seq).execute();
}

testOnEveryStorage("a search gives all events but the damaged one, which it names", async (storage) => {
  const { store, condition } = await openLog(storage);
  for (const order of ["asc", "desc"] as const) {
    const seqs: number[] = [];
    const damaged: number[] = [];
    let rest = { from: 1, to: 30 };
    const behind = (seq: number) =>
      rest = order === "asc" ? { ...rest, from: seq + 1 } : { ...rest, to: seq - 1 };
    for (let complete = false; !complete;) {
      try {
        const scan = await scanEvents(store, { filter: {}, order, limit: 7, ...rest });
        seqs.push(...scan.rows.map(({ seq }) => seq));
        behind(scan.scannedTo);
        complete = scan.complete;
      } catch (error) {
        if (!(error instanceof DamagedEvent)) throw error;
        damaged.push(error.seq);
        behind(error.seq);
      }
    }
    const expected = Array.from({ length: 30 }, (_, index) => index + 1).filter((seq) => seq !== 12);
    expect([seqs, damaged]).toEqual([order === "asc" ? expected : expected.toReversed(), [12]]);
  }
  expect(condition.health()).toMatchObject({
    status: "degraded",
    message: expect.stringContaining("event 12"),
  });
});

testOnEveryStorage("it is not shown by its id, and sending it again is no success", async (storage) => {
  const { store } = await openLog(storage);
  await expect(store.byId("event-12")).rejects.toThrow(DamagedEvent);
  expect(await store.byId("event-13")).toMatchObject({ seq: 13 });
  const { results } = await store.append([draft("event-12"), draft("event-13"), draft("event-31")], 2);
  expect(results[0]).toBeInstanceOf(DamagedEvent);
  expect(results.slice(1)).toMatchObject([{ seq: 13, duplicate: true }, { seq: 31, duplicate: false }]);
});

testOnEveryStorage("a follower gets what comes before it, and then the problem", async (storage) => {
  const { store } = await openLog(storage);
  const tail = new EventTail({ store, log: getLogger("test") });
  await tail.start();
  const feed = (afterSeq: number) =>
    eventFeed({
      store,
      tail,
      filter: {},
      afterSeq,
      buffer: 100,
      signal: new AbortController().signal,
      onOverflow: () => {},
    });
  const first = feed(5);
  expect((await first.next()).value).toHaveLength(6);
  await expect(first.next()).rejects.toThrow("The event with the sequence 12 is damaged");
  const second = feed(12);
  expect((await second.next()).value).toHaveLength(18);
  await second.return();
});

testOnEveryStorage("live readers are told too, and the tail goes on behind it", async (storage) => {
  const { store } = await openLog(storage);
  const tail = new EventTail({ store, log: getLogger("test") });
  await tail.start();
  const live = eventFeed({
    store,
    tail,
    filter: {},
    afterSeq: undefined,
    buffer: 100,
    signal: new AbortController().signal,
    onOverflow: () => {},
  });
  const first = live.next();
  await store.append([draft("event-31"), draft("event-32"), draft("event-33")], 2);
  await damage(storage, 32);
  const stop = new AbortController();
  const following = tail.follow(stop.signal);
  expect((await first).value?.map(({ seq }) => seq)).toEqual([31]);
  await expect(live.next()).rejects.toThrow("The event with the sequence 32 is damaged");
  await waitFor(() => tail.position === 33, { what: "the tail to go past it" });
  stop.abort();
  await following;
});

testOnEveryStorage("a log whose end is broken takes nothing more", async (storage) => {
  const { store, condition } = await openLog(storage);
  condition.breakEnd("event 30 is not what was stored");
  await expect(store.append([draft("event-31")], 2)).rejects.toMatchObject({
    status: 503,
    code: "log_damaged",
  });
  expect(condition.health()).toMatchObject({ status: "down", message: expect.stringContaining("event 30") });
  expect(await store.headSeq()).toBe(30);
});
