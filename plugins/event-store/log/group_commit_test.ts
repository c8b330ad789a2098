import { expect } from "expect";
import type { Storage } from "../../../core/storage/storage.ts";
import { getLogger } from "../../../core/log.ts";
import { eventDraft } from "../../../tests/support/event_draft.ts";
import { testOnEveryStorage, withStorage } from "../../../tests/support/every_storage.ts";
import { within } from "../../../tests/support/wait_for.ts";
import type { Draft } from "./draft.ts";
import { GroupCommit } from "./group_commit.ts";
import { migrations } from "../migrations.ts";
import { EventStore } from "../store.ts";
import type { EventRow } from "../tables.ts";

interface Group {
  readonly store: EventStore;
  readonly group: GroupCommit;
  /** Every batch that was reported as committed. */
  readonly batches: (readonly EventRow[])[];
  /** Sequences that were reported as stored. */
  readonly landed: number[];
}

async function openGroup(storage: Storage, maxPending = 10_000): Promise<Group> {
  await storage.migrate("event-store", migrations);
  const store = new EventStore(storage);
  const batches: (readonly EventRow[])[] = [];
  const landed: number[] = [];
  const group = new GroupCommit({
    store,
    log: getLogger("test"),
    maxPending,
    now: () => 1,
    onCommitted: (rows) => void batches.push(rows),
    onLanded: ({ seq }) => void landed.push(seq),
  });
  return { store, group, batches, landed };
}

const drafts = (count: number, text = ""): Draft[] =>
  Array.from({ length: count }, () => ({
    ...eventDraft("hub.a.demo.made"),
    payload: JSON.stringify({ text }),
  }));

const inOrder = (count: number) => Array.from({ length: count }, (_, index) => index + 1);

testOnEveryStorage("appends of the same moment share one commit", async (storage) => {
  const { store, group, batches } = await openGroup(storage);
  const landed = await Promise.all(drafts(64).map((draft) => group.append(draft)));
  expect(batches.map((rows) => rows.length)).toEqual([64]);
  expect(landed.map(({ seq }) => seq)).toEqual(inOrder(64));
  expect(await store.headSeq()).toBe(64);
});

testOnEveryStorage(
  "a commit holds 256 events at the most, and the next one goes on in order",
  async (storage) => {
    const { group, batches } = await openGroup(storage);
    const landed = await Promise.all(drafts(300).map((draft) => group.append(draft)));
    expect(batches.map((rows) => rows.length)).toEqual([256, 44]);
    expect(batches.flat().map(({ id }) => id)).toEqual(landed.map(({ id }) => id));
    expect(landed.map(({ seq }) => seq)).toEqual(inOrder(300));
  },
);

testOnEveryStorage("a commit of large payloads is closed at about 1 MiB", async (storage) => {
  const { group, batches } = await openGroup(storage);
  await Promise.all(drafts(20, "x".repeat(200_000)).map((draft) => group.append(draft)));
  // The sixth reaches the mebibyte.
  expect(batches.map((rows) => rows.length)).toEqual([6, 6, 6, 2]);
});

testOnEveryStorage(
  "beyond max_pending an append is refused, until those before are stored",
  async (storage) => {
    const { group } = await openGroup(storage, 2);
    const [one, two, three, four] = drafts(4).map((draft) => () => group.append(draft));
    const waiting = [one!(), two!()];
    await expect(three!()).rejects.toMatchObject({ status: 503, code: "too_many_pending" });
    expect((await Promise.all(waiting)).map(({ seq }) => seq)).toEqual([1, 2]);
    expect(await four!()).toMatchObject({ seq: 3 });
  },
);

testOnEveryStorage("batches and single events are stored in the order they came", async (storage) => {
  const { group, batches, landed } = await openGroup(storage);
  const [one, two, three] = drafts(3).map((draft) => () => group.append(draft));
  const answers = await Promise.all([
    one!(),
    two!(),
    group.appendAll(drafts(5)),
    group.appendAll(drafts(300)),
    three!(),
  ]);
  expect(answers.flat().map(({ seq }) => seq)).toEqual(inOrder(308));
  expect(batches.map((rows) => rows.length)).toEqual([2, 5, 300, 1]);
  expect(landed).toEqual(inOrder(308));
});

testOnEveryStorage("a batch that conflicts is rejected as a whole, and alone", async (storage) => {
  const { group, batches, landed, store } = await openGroup(storage);
  const taken = { ...eventDraft("hub.a.demo.made", { id: "taken" }), idGiven: true };
  const other = { ...taken, payload: '{"n":2}' };
  await group.append(taken);
  const results = await Promise.allSettled([
    group.appendAll([...drafts(70), other, ...drafts(3), other]),
    group.append(drafts(1)[0]!),
    group.appendAll([taken, ...drafts(2)]),
  ]);
  expect(results).toMatchObject([
    {
      status: "rejected",
      reason: {
        status: 409,
        code: "batch_conflict",
        extras: { errors: [{ index: 70, code: "id_conflict" }, { index: 74, code: "id_conflict" }] },
      },
    },
    { status: "fulfilled", value: { seq: 2 } },
    { status: "fulfilled", value: [{ seq: 1, duplicate: true }, { seq: 3 }, { seq: 4 }] },
  ]);
  expect(batches.map((rows) => rows.map(({ seq }) => seq))).toEqual([[1], [], [2], [3, 4]]);
  expect(landed).toEqual([1, 2, 1, 3, 4]);
  expect(await store.headSeq()).toBe(4);
});

testOnEveryStorage(
  "max_pending counts the events of a batch, and a batch goes beyond it once",
  async (storage) => {
    const { group } = await openGroup(storage, 10);
    const waiting = [group.append(drafts(1)[0]!), group.appendAll(drafts(50))];
    const refused = [group.append(drafts(1)[0]!), group.appendAll(drafts(1))];
    for (const each of await Promise.allSettled(refused)) {
      expect(each).toMatchObject({ status: "rejected", reason: { status: 503, code: "too_many_pending" } });
    }
    await Promise.all(waiting);
    expect(await group.appendAll(drafts(1))).toMatchObject([{ seq: 52 }]);
  },
);

testOnEveryStorage("a conflict rejects its own append only", async (storage) => {
  const { group, batches } = await openGroup(storage);
  const given = (n: number): Draft => ({
    ...eventDraft("hub.a.demo.made", { id: "same" }),
    payload: JSON.stringify({ n }),
    idGiven: true,
  });
  await group.append(given(1));
  const [before, other, again] = drafts(1).concat(given(2), given(1)).map((draft) => group.append(draft));
  const results = await Promise.allSettled([before, other, again, group.append(drafts(1)[0]!)]);
  expect(results).toMatchObject([
    { status: "fulfilled", value: { seq: 2 } },
    { status: "rejected", reason: { status: 409, code: "id_conflict" } },
    { status: "fulfilled", value: { seq: 1, duplicate: true } },
    { status: "fulfilled", value: { seq: 3 } },
  ]);
  expect(batches.map((rows) => rows.map(({ seq }) => seq))).toEqual([[1], [2, 3]]);
});

testOnEveryStorage(
  "a commit that fails is told to all of it, and the next ones are stored",
  async (storage) => {
    const { group, batches, store } = await openGroup(storage);
    const rename = (from: string, to: string) =>
      storage.tables<Record<string, never>>().schema.alterTable(from).renameTo(to).execute();
    await rename("event_store_head", "event_store_elsewhere");
    const results = await Promise.allSettled(drafts(3).map((draft) => group.append(draft)));
    expect(results.map((result) => result.status === "rejected" && result.reason)).toMatchObject(
      Array(3).fill({ status: 503, code: "storage_unavailable" }),
    );
    expect(batches).toEqual([[]]); // those who follow are told to look
    await rename("event_store_elsewhere", "event_store_head");
    expect(await group.append(drafts(1)[0]!)).toMatchObject({ seq: 1 });
    expect(await store.headSeq()).toBe(1);
  },
);

Deno.test("appends to a storage that was closed are refused, one after the other", async () => {
  const dataDir = await Deno.makeTempDir();
  await withStorage("sqlite:", {
    dataDir,
    run: async (storage) => {
      const { group } = await openGroup(storage);
      await group.append(drafts(1)[0]!);
      await storage.close();
      for (let attempt = 1; attempt <= 2; attempt++) {
        const appending = group.append(drafts(1)[0]!);
        await expect(within(appending, { what: `answer ${attempt}`, timeoutMs: 5000 })).rejects.toMatchObject(
          {
            status: 503,
            code: "storage_unavailable",
          },
        );
      }
      await within(group.drain(), { what: "the end", timeoutMs: 5000 });
    },
  });
  await Deno.remove(dataDir, { recursive: true });
});
