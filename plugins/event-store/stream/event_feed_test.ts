import { expect } from "expect";
import { getLogger } from "../../../core/log.ts";
import type { Storage } from "../../../core/storage/storage.ts";
import { eventDraft } from "../../../tests/support/event_draft.ts";
import { testOnEveryStorage } from "../../../tests/support/every_storage.ts";
import { waitFor } from "../../../tests/support/wait_for.ts";
import { eventFeed, type FeedOptions } from "./event_feed.ts";
import { EventTail } from "../log/event_tail.ts";
import { GroupCommit } from "../log/group_commit.ts";
import { LiveStreams } from "./live_streams.ts";
import { migrations } from "../migrations.ts";
import { EventStore } from "../store.ts";
import { sseResponse } from "../../../core/http/send_sse.ts";
import { sseFrames } from "./event_frames.ts";
import type { EventStoreTables } from "../tables.ts";

interface Log extends AsyncDisposable {
  readonly store: EventStore;
  readonly tail: EventTail;
  /** How many listen to the tail. */
  listeners(): number;
  append(subject: string): Promise<unknown>;
  feed(options?: Partial<FeedOptions>): ReturnType<typeof eventFeed>;
}

async function openLog(storage: Storage): Promise<Log> {
  await storage.migrate("event-store", migrations);
  const log = getLogger("test");
  const store = new EventStore(storage);
  const tail = new EventTail({ store, log });
  await tail.start();
  const listening = countListeners(tail);
  const group = new GroupCommit({
    store,
    log,
    maxPending: 10_000,
    now: () => Date.now(),
    onCommitted: (rows) => tail.committed(rows),
    onLanded: () => {},
  });
  const stop = new AbortController();
  const unlisten = storage.onCommit(() => group.isCommitting || tail.hint());
  const following = tail.follow(stop.signal);
  return {
    store,
    tail,
    listeners: () => listening.size,
    append: (subject) => group.append(eventDraft(subject)),
    feed: (options) =>
      eventFeed({
        store,
        tail,
        filter: {},
        afterSeq: undefined,
        buffer: 10_000,
        signal: stop.signal,
        onOverflow: () => {},
        ...options,
      }),
    [Symbol.asyncDispose]: async () => {
      stop.abort();
      unlisten();
      await following;
      await group.drain();
    },
  };
}

/** Notes who listens, from now on. */
function countListeners(tail: EventTail): ReadonlySet<unknown> {
  const listening = new Set<unknown>();
  const listen = tail.listen.bind(tail);
  tail.listen = (listener) => {
    const leave = listen(listener);
    listening.add(listener);
    return () => {
      listening.delete(listener);
      leave();
    };
  };
  return listening;
}

async function take(feed: ReturnType<typeof eventFeed>, count: number): Promise<number[]> {
  const seqs: number[] = [];
  while (seqs.length < count) {
    const next = await feed.next();
    if (next.done) break;
    seqs.push(...next.value.map((row) => row.seq));
  }
  return seqs;
}

testOnEveryStorage(
  "history runs into live without a gap or a repetition while many write",
  async (storage) => {
    await using log = await openLog(storage);
    await Promise.all(Array.from({ length: 1500 }, () => log.append("hub.a.demo.before")));
    const writing = (async () => {
      for (let round = 0; round < 40; round++) {
        await Promise.all(Array.from({ length: 25 }, () => log.append("hub.a.demo.during")));
      }
    })();
    const readers = [0, 1, 700, 1499].map(async (afterSeq) => {
      const feed = log.feed({ afterSeq });
      const seqs = await take(feed, 2500 - afterSeq);
      await feed.return();
      return { afterSeq, seqs };
    });
    for (const { afterSeq, seqs } of await Promise.all(readers)) {
      expect(seqs).toEqual(Array.from({ length: 2500 - afterSeq }, (_, index) => afterSeq + index + 1));
    }
    await writing;
  },
);

testOnEveryStorage("a filtered feed joins at the same seam", async (storage) => {
  await using log = await openLog(storage);
  for (let index = 0; index < 30; index++) await log.append(`hub.a.demo.n${index % 3}`);
  const feed = log.feed({ afterSeq: 0, filter: { subject: "hub.*.demo.n1" } });
  const reading = take(feed, 15);
  for (let index = 0; index < 15; index++) await log.append(`hub.a.demo.n${index % 3}`);
  expect(await reading).toEqual(Array.from({ length: 15 }, (_, index) => 2 + 3 * index));
  await feed.return();
});

testOnEveryStorage("an event from a caller's transaction reaches the feed in its place", async (storage) => {
  await using log = await openLog(storage);
  const feed = log.feed();
  const reading = take(feed, 3);
  await log.append("hub.a.demo.first");
  await storage.tables<EventStoreTables>().transaction().execute((trx) =>
    log.store.appendIn(trx, { drafts: [eventDraft("hub.a.demo.second")], nowMs: 1 })
  );
  await log.append("hub.a.demo.third");
  expect(await reading).toEqual([1, 2, 3]);
  await feed.return();
});

testOnEveryStorage(
  "a reader that stops reading is told, and holds no more than its buffer",
  async (storage) => {
    await using log = await openLog(storage);
    let overflows = 0;
    const feed = log.feed({ buffer: 100, onOverflow: () => overflows++ });
    const first = feed.next();
    await log.append("hub.a.demo.first");
    await first;
    for (let index = 0; index < 150; index++) await log.append("hub.a.demo.more");
    await waitFor(() => overflows > 0, { what: "the overflow to be reported" });
    await log.append("hub.a.demo.after");
    expect(overflows).toBe(1);
  },
);

testOnEveryStorage("a feed that is aborted ends, also while it waits", async (storage) => {
  await using log = await openLog(storage);
  const abort = new AbortController();
  const feed = log.feed({ signal: abort.signal });
  const waiting = feed.next();
  abort.abort();
  expect(await waiting).toEqual({ done: true, value: undefined });
});

testOnEveryStorage(
  "a reader that waits is not cut off by one batch larger than its buffer",
  async (storage) => {
    await using log = await openLog(storage);
    const abort = new AbortController();
    let overflows = 0;
    const feed = log.feed({ buffer: 100, signal: abort.signal, onOverflow: () => overflows++ });
    const reading = take(feed, 200);
    await Promise.all(Array.from({ length: 200 }, () => log.append("hub.a.demo.burst")));
    expect(overflows).toBe(0);
    expect(await reading).toEqual(Array.from({ length: 200 }, (_, index) => index + 1));
    const waiting = feed.next();
    abort.abort();
    expect(await waiting).toEqual({ done: true, value: undefined });
    expect(log.listeners()).toBe(0);
  },
);

testOnEveryStorage(
  "a reader that leaves with an event it did not read leaves no listener",
  async (storage) => {
    await using log = await openLog(storage);
    const streams = new LiveStreams({
      store: log.store,
      tail: log.tail,
      settings: { max_clients: 10, buffer: 10_000, keepalive: 15_000 },
    });
    const stream = await streams.open({ filter: {}, afterSeq: undefined, stillAllowed: () => true });
    let delivered = 0;
    const next = stream.feed.next.bind(stream.feed);
    stream.feed.next = async () => {
      const result = await next();
      delivered++;
      return result;
    };
    const reader = sseResponse(stream, { keepaliveMs: 15_000, correlationId: "c1", frames: sseFrames }).body!
      .getReader();
    await reader.read(); // "connected"
    await waitFor(() => log.listeners() === 1, { what: "the stream to be live" });
    await log.append("hub.a.demo.unread");
    await waitFor(() => delivered === 1, { what: "the event to wait for the reader" });
    await reader.cancel();
    expect([log.listeners(), streams.count]).toEqual([0, 0]);
    streams.stop();
  },
);
