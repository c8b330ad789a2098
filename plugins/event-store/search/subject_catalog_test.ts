import { expect } from "expect";
import { getLogger } from "../../../core/log.ts";
import type { Storage } from "../../../core/storage/storage.ts";
import { eventDraft as draft } from "../../../tests/support/event_draft.ts";
import { testOnEveryStorage } from "../../../tests/support/every_storage.ts";
import { waitFor } from "../../../tests/support/wait_for.ts";
import { EventTail } from "../log/event_tail.ts";
import { migrations } from "../migrations.ts";
import { EventStore } from "../store.ts";
import type { EventStoreTables } from "../tables.ts";
import { SubjectCatalog } from "./subject_catalog.ts";
import { EventIndex } from "./event_index.ts";

interface Opened extends AsyncDisposable {
  readonly subjects: SubjectCatalog;
  /** Stores one event for each, and hands them to the tail. */
  store(...subjects: string[]): Promise<void>;
  /** Stores an event that is damaged before the tail reads it. */
  storeDamaged(subject: string): Promise<void>;
}

async function open(
  storage: Storage,
  { stored, most }: { stored: string[]; most?: number },
): Promise<Opened> {
  await storage.migrate("event-store", migrations);
  const store = new EventStore(storage);
  if (stored.length > 0) await store.append(stored.map((subject) => draft(subject)), 1);
  const log = getLogger("test");
  const tail = new EventTail({ store, log });
  await tail.start();
  const subjects = new SubjectCatalog({
    index: new EventIndex(storage),
    tail,
    log,
    ...(most === undefined ? {} : { maxSubjects: most }),
  });
  const stop = new AbortController();
  const following = subjects.follow(stop.signal);
  let tailing: Promise<void> | undefined;
  return {
    subjects,
    store: async (...more) => {
      const { rows } = await store.append(more.map((subject) => draft(subject)), 1);
      tail.committed(rows);
    },
    storeDamaged: async (subject) => {
      const { rows } = await store.append([draft(subject)], 1);
      await storage.tables<EventStoreTables>().updateTable("event_store_event").set({ payload: "{} " })
        .where("seq", "=", rows[0]!.seq).execute();
      tailing ??= tail.follow(stop.signal);
      tail.hint();
    },
    [Symbol.asyncDispose]: async () => {
      stop.abort();
      await Promise.all([following, tailing]);
      expect(subjects.choose({ type: "*" })).toBeUndefined();
    },
  };
}

const isKnown = (subjects: SubjectCatalog) => () => subjects.choose({ type: "*" }) !== undefined;

testOnEveryStorage("more subjects than one step reads are known, and each new one", async (storage) => {
  const stored = Array.from({ length: 1203 }, (_, index) => `hub.n${index % 3}.demo.s${index}`);
  await using opened = await open(storage, { stored: [...stored, ...stored.slice(0, 50)] });
  const { subjects } = opened;
  await waitFor(isKnown(subjects), { what: "the subjects to be read" });
  expect(subjects.choose({ subject: "hub.>" })).toEqual({
    column: "subject",
    keys: expect.arrayContaining(stored),
    upTo: 1253,
  });
  expect(subjects.choose({ subject: "hub.>" })!.keys).toHaveLength(1203);
  await opened.store("hub.n9.demo.s5", "hub.n9.demo.new");
  expect(subjects.choose({ subject: "hub.*.demo.new" })).toEqual({
    column: "subject",
    keys: ["hub.n9.demo.new"],
    upTo: 1255,
  });
  expect(new Set(subjects.choose({ type: "demo.s5" })!.keys)).toEqual(
    new Set(["hub.n2.demo.s5", "hub.n9.demo.s5"]),
  );
  expect(subjects.choose({ subject: "hub.n2.>", type: "demo.s5" })!.keys).toEqual(["hub.n2.demo.s5"]);
});

testOnEveryStorage("reading the subjects and their sequences is no write", async (storage) => {
  await using opened = await open(storage, {
    stored: ["hub.a.demo.one", "hub.a.demo.two", "hub.a.demo.one"],
  });
  let commits = 0;
  const leave = storage.onCommit(() => commits++);
  const { index } = opened.subjects;
  expect(await index.subjects("", 10)).toEqual(["hub.a.demo.one", "hub.a.demo.two"]);
  expect(await index.subjects("hub.a.demo.one", 10)).toEqual(["hub.a.demo.two"]);
  const ranges = ["hub.a.demo.two", "hub.a.demo.none", "hub.a.demo.one"].map((subject) => ({
    key: subject,
    from: 1,
    to: 9,
  }));
  expect(await index.sequences(ranges, { column: "subject", order: "desc", limit: 5 })).toEqual([[2], [], [
    3,
    1,
  ]]);
  leave();
  if (storage.kind === "sqlite") expect(commits).toBe(0); // PostgreSQL counts a new listener as a commit missed
});

testOnEveryStorage("it says nothing where a list of subjects would not help", async (storage) => {
  await using opened = await open(storage, { stored: ["hub.a.demo.one"] });
  await waitFor(isKnown(opened.subjects), { what: "the subjects to be read" });
  for (
    const filter of [{}, { subject: ">" }, { type: ">", project: "one" }]
  ) {
    expect([filter, opened.subjects.choose(filter)]).toEqual([filter, undefined]);
  }
});

testOnEveryStorage("with too many subjects it gives up, at start or later", async (storage) => {
  await using opened = await open(storage, { stored: ["hub.a.demo.one", "hub.a.demo.two"], most: 2 });
  await waitFor(isKnown(opened.subjects), { what: "the subjects to be read" });
  await opened.store("hub.a.demo.two", "hub.a.demo.three");
  expect(isKnown(opened.subjects)()).toBe(false);
  await using again = await open(storage, { stored: [], most: 2 });
  await again.store("hub.a.demo.one");
  expect(isKnown(again.subjects)()).toBe(false);
});

testOnEveryStorage("an event whose subject it cannot hear of ends its knowledge", async (storage) => {
  await using opened = await open(storage, { stored: ["hub.a.demo.one"] });
  await waitFor(isKnown(opened.subjects), { what: "the subjects to be read" });
  await opened.storeDamaged("hub.a.demo.two");
  await waitFor(() => !isKnown(opened.subjects)(), { what: "the catalog to give up" });
});
