import { expect } from "expect";
import { generateKeyPairSync } from "node:crypto";
import { eventDraft } from "../../../tests/support/event_draft.ts";
import { testOnEveryStorage, withStorage } from "../../../tests/support/every_storage.ts";
import { expectWholeLog } from "../../../tests/support/expect_whole_log.ts";
import { createDatabase } from "../../../tests/support/postgres.ts";
import { RetentionLog, takenOver, TestClock } from "../../../tests/support/retention_log.ts";
import { testWithPostgres } from "../../../tests/support/test_with.ts";
import { waitFor } from "../../../tests/support/wait_for.ts";
import type { EventStoreTables } from "../tables.ts";
import { isSignedOff, signGap } from "./anchor.ts";
import { mergeGaps } from "./merge_gaps.ts";
import { retentionSettings } from "./retention_settings.ts";
import { RetentionStore, Superseded } from "./retention_store.ts";

async function expectWhole(log: RetentionLog): Promise<void> {
  expectWholeLog({ rows: await log.rows(), gaps: await log.gaps(), head: await log.store.head() });
}

async function seqs(log: RetentionLog): Promise<number[]> {
  return (await log.rows()).map(({ seq }) => seq);
}

Deno.test("rules that limit nothing, or can never apply, are refused with their place", () => {
  const faults = (rules: unknown) =>
    retentionSettings.safeParse(rules).error?.issues.map(({ path, message }) =>
      `${path.join(".")}: ${message}`
    );
  expect(faults([{ subject: "demo.>" }])).toEqual([
    "0: the rule limits nothing: give it max_age, max_count or max_bytes",
  ]);
  expect(faults([{ subject: "demo.>", max_count: 1 }, { subject: "hub.*.demo.>", max_age: "1h" }])).toEqual([
    '1.subject: an earlier rule decides for "hub.*.demo.>" already; remove one of the two',
  ]);
  for (
    const bad of [{ max_age: "10" }, { max_age: "1ms" }, { max_count: -1 }, { max_count: 1.5 }, {
      max_bytes: 5,
    }]
  ) {
    expect(faults([{ subject: "demo.>", ...bad }])).toHaveLength(1);
  }
  expect(faults([{ subject: "demo.>.x", max_count: 1 }])).toHaveLength(1);
  expect(faults([{ subject: "demo.>", max_counts: 1 }])).toHaveLength(2);
  expect(retentionSettings.parse([{ subject: "demo.>", max_age: "2h", max_bytes: "1kb" }])).toEqual([
    { subject: "hub.*.demo.>", max_age: 7_200_000, max_bytes: 1024, keep_unacked: true },
  ]);
});

testOnEveryStorage("the first rule that matches decides, and what matches none stays", async (storage) => {
  const log = await RetentionLog.open(storage);
  const clock = new TestClock();
  const rules = [{ subject: "demo.kept", max_age: "365d" }, { subject: "demo.>", max_count: 1 }];
  const agent = await log.agent({ rules, clock });
  for (const type of ["kept", "seen", "kept", "seen", "seen"]) {
    await log.append(takenOver(1, `hub.b.demo.${type}`), { nowMs: clock.ms, agents: [agent] });
  }
  await log.append(takenOver(1, "hub.b.other.seen"), { nowMs: clock.ms, agents: [agent] });
  await agent.round();
  expect(await seqs(log)).toEqual([1, 3, 5, 6]);
  const gaps = (await log.gaps()).map(({ from_seq, to_seq }) => [from_seq, to_seq]);
  expect(gaps).toEqual([[2, 2], [4, 4]]);
  await expectWhole(log);
});

testOnEveryStorage("a long log goes in small transactions, and appends get in between", async (storage) => {
  const log = await RetentionLog.open(storage);
  const clock = new TestClock();
  await log.append(takenOver(1500), { nowMs: clock.ms });
  const agent = await log.agent({ rules: [{ subject: ">", max_count: 100 }], clock, maxBatch: 50 });
  let isOver = false;
  let appended = 0;
  const appends = (async () => {
    while (!isOver) {
      await log.append(takenOver(1), { nowMs: clock.ms, agents: [agent] });
      appended++;
      await new Promise((resolve) => setTimeout(resolve));
    }
  })();
  await agent.round();
  isOver = true;
  await appends;
  expect(appended).toBeGreaterThan(20);
  expect(Math.max(...agent.removals)).toBeLessThanOrEqual(50);
  expect(agent.removals.reduce((sum, each) => sum + each)).toBeGreaterThanOrEqual(1400);
  await agent.round();
  expect(await seqs(log)).toEqual(Array.from({ length: 100 }, (_, index) => 1401 + appended + index));
  expect((await log.gaps()).length).toBe(1);
  await expectWhole(log);
});

testOnEveryStorage("totals of each rule are written down, and go on after a restart", async (storage) => {
  const log = await RetentionLog.open(storage);
  const clock = new TestClock();
  const rules = [{ subject: "demo.>", max_bytes: "1kb" }, { subject: "other.>", max_count: 5 }];
  const store = new RetentionStore(storage);
  for (const [round, count] of [[1, 20], [2, 7]] as const) {
    const agent = await log.agent({ rules, clock });
    clock.ms += 1000;
    await log.append(takenOver(count, "hub.b.demo.seen", 100), { nowMs: clock.ms, agents: [agent] });
    await log.append(takenOver(3, "hub.b.other.seen", 50), { nowMs: clock.ms, agents: [agent] });
    await agent.round();
    const saved = await store.saved();
    expect(saved.get("hub.*.demo.>")).toMatchObject({
      events: 10,
      bytes: 1000,
      removed_events: round === 1 ? 10 : 17,
      removed_bytes: round === 1 ? 1000 : 1700,
      run_at: new Date(clock.ms).toISOString(),
      oldest: "2026-01-01T00:00:01.000Z",
    });
    expect(saved.get("hub.*.other.>")).toMatchObject({
      events: round === 1 ? 3 : 5,
      bytes: round === 1 ? 150 : 250,
      removed_events: round === 1 ? 0 : 1,
    });
  }
});

testOnEveryStorage(
  "what is parked goes with its event; what is not signed off is not joined",
  async (storage) => {
    const log = await RetentionLog.open(storage);
    const clock = new TestClock();
    const rules = [{ subject: ">", max_count: 2 }];
    const agent = await log.agent({ rules, clock });
    const rows = await log.append(takenOver(6), { nowMs: clock.ms, agents: [agent] });
    await log.store.park(rows[1]!, { error: "too large", time: "2026-01-01T00:00:00.000Z" });
    await agent.round();
    expect(await log.store.parkedCount("a")).toBe(0);
    const db = storage.tables<EventStoreTables>();
    await db.updateTable("event_store_gap").set({ removed_at: "2025-01-01T00:00:00.000Z" }).execute();
    await log.append(takenOver(2), { nowMs: clock.ms, agents: [agent] });
    await agent.round();
    const gaps = await log.gaps();
    expect(gaps.map((gap) => [gap.from_seq, gap.to_seq, isSignedOff(gap)])).toEqual([[1, 4, false], [
      5,
      6,
      true,
    ]]);
  },
);

Deno.test("gaps join where they touch, whoever signed them, and keep the hash of the last event", () => {
  const sign = (from_seq: number, to_seq: number) =>
    signGap(
      { from_seq, to_seq, hash: `h${to_seq}`, removed_at: "2026-01-01T00:00:00.000Z" },
      generateKeyPairSync("ed25519").privateKey,
    );
  const removed = [5, 6, 9, 20].map((seq) => ({ seq, hash: `h${seq}` }));
  expect(mergeGaps(removed, [sign(1, 4), sign(7, 8), sign(10, 15), sign(18, 18)])).toEqual({
    dropped: [1, 7, 10],
    added: [{ from_seq: 1, to_seq: 15, hash: "h15" }, { from_seq: 20, to_seq: 20, hash: "h20" }],
  });
  expect(mergeGaps(removed.slice(0, 1), [{ ...sign(1, 4), to_seq: 4, hash: "forged" }])).toEqual({
    dropped: [],
    added: [{ from_seq: 5, to_seq: 5, hash: "h5" }],
  });
});

testOnEveryStorage("who counted before somebody else removed, removes nothing", async (storage) => {
  const log = await RetentionLog.open(storage);
  const clock = new TestClock();
  const store = new RetentionStore(storage);
  const hold = (await store.hold("late", clock.ms))!;
  const agent = await log.agent({ rules: [{ subject: ">", max_count: 1 }], clock, nodeId: "quick" });
  await log.append(takenOver(3), { nowMs: clock.ms, agents: [agent] });
  await agent.round();
  expect(await store.hold("late", clock.ms)).toBeUndefined();
  const nowMs = clock.ms + 3_600_000;
  const doomed = await store.entries({ from: 1, to: 9 }, 9);
  const removal = { doomed, dropped: [], added: [], removed: new Map(), isAllowed: () => true, nowMs };
  await expect(store.remove({ ...removal, hold })).rejects.toThrow(Superseded);
  expect(await seqs(log)).toEqual([3]);
  // A hold that has run out may be taken, by whoever knows what was removed.
  const next = (await store.hold("late", nowMs))!;
  expect(await store.remove({ ...removal, hold: next })).toBe(true);
});

testOnEveryStorage("an event that a consumer has come to need meanwhile is not removed", async (storage) => {
  const log = await RetentionLog.open(storage);
  const clock = new TestClock();
  const store = new RetentionStore(storage);
  await log.append(takenOver(3), { nowMs: clock.ms });
  const doomed = await store.entries({ from: 1, to: 3 }, 9);
  const removal = { doomed, dropped: [], added: [], removed: new Map(), nowMs: clock.ms };
  const hold = (await store.hold("a", clock.ms))!;
  await log.need("worker", { subject: "hub.b.>", seq: 2 });
  const isDone = await store.remove({
    ...removal,
    hold,
    isAllowed: (protection) => doomed.every((event) => !protection.holds(event, { keepUnacked: true })),
  });
  expect(isDone).toBe(false);
  expect(await seqs(log)).toEqual([1, 2, 3]);
  expect(await store.hold("b", clock.ms)).toBeDefined(); // rolled back as a whole
});

testWithPostgres(
  "two agents on one database, and appends at the same time: exact, and no deadlock",
  async () => {
    await using database = await createDatabase();
    await withStorage(database.url, {
      dataDir: Deno.cwd(),
      run: (one) =>
        withStorage(database.url, {
          dataDir: Deno.cwd(),
          run: async (two) => {
            const clock = new TestClock();
            const rules = [{ subject: "demo.>", max_count: 30 }, { subject: "other.>", max_count: 3 }];
            const logs = [await RetentionLog.open(one), await RetentionLog.open(two)];
            const agents = [
              await logs[0]!.agent({ rules, clock, nodeId: "one", maxBatch: 16 }),
              await logs[1]!.agent({ rules, clock, nodeId: "two", maxBatch: 16 }),
            ];
            const stop = new AbortController();
            const following = agents.map(({ tail }) => tail.follow(stop.signal));
            const hints = [one, two].map((storage, index) =>
              storage.onCommit(() => agents[index]!.tail.hint())
            );
            const append = async (log: RetentionLog) => {
              for (let n = 0; n < 60; n++) {
                await log.append([...takenOver(5), ...takenOver(1, "hub.b.other.seen")], { nowMs: clock.ms });
                clock.ms += 3000; // the right to remove runs out again and again
              }
            };
            let isOver = false;
            const rounds = agents.map(async (agent) => {
              while (!isOver) await agent.round();
            });
            await Promise.all(logs.map(append));
            isOver = true;
            await Promise.all(rounds);
            clock.ms += 3_600_000;
            for (const { tail } of agents) tail.hint();
            const [last] = agents;
            await waitFor(() => last!.tail.position === 720, { what: "the tail to get to the end" });
            await last!.round();
            await last!.round();
            stop.abort();
            await Promise.all(following);
            hints.forEach((leave) => leave());
            const rows = await logs[0]!.rows();
            expect(rows.filter(({ type }) => type === "demo.seen")).toHaveLength(30);
            expect(rows.filter(({ type }) => type === "other.seen")).toHaveLength(3);
            const removed = agents.flatMap(({ removals }) => removals).reduce((sum, each) => sum + each);
            expect(removed).toBe(720 - 33);
            await expectWhole(logs[0]!);
          },
        }),
    });
  },
);

testOnEveryStorage("events that this or another agent's relay has yet to send stay", async (storage) => {
  const log = await RetentionLog.open(storage);
  const clock = new TestClock();
  const agent = await log.agent({ rules: [{ subject: ">", max_age: "1s" }], clock });
  const published = (nodeId: string) =>
    eventDraft(`hub.${nodeId}.demo.seen`, { origin: { nodeId, service: "api", user: null } });
  const drafts = [published("a"), published("b"), ...takenOver(1), published("a"), published("b")];
  await log.append(drafts, { nowMs: clock.ms, agents: [agent] });
  clock.ms += 2000;
  await agent.round();
  expect(await seqs(log)).toEqual([1, 2, 4, 5]);
  await log.store.saveRelayPosition("a", { seq: 3, stream: "s" });
  await agent.round();
  expect(await seqs(log)).toEqual([2, 4, 5]);
  await log.store.saveRelayPosition("b", { seq: 5, stream: "s" });
  await agent.round();
  expect(await seqs(log)).toEqual([4]);
  await expectWhole(log);
});
