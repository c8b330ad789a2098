import { expect } from "expect";
import fc from "fast-check";
import { testOnEveryStorage } from "../../tests/support/every_storage.ts";
import { isEnd, isLegal, type JobState, jobStates, type MoveName, moves } from "./job_state.ts";
import { JobStore, type NewJob } from "./job_store.ts";
import { jobMigrations } from "./job_tables.ts";

const moveNames = Object.keys(moves) as MoveName[];

function newJob(id: string, dedupeKey: string | null = null): NewJob {
  return {
    id,
    name: "test.state",
    project: null,
    input: "null",
    dedupe_key: dedupeKey,
    priority: 0,
    run_at_ms: 0,
    correlation_id: "c",
    causation_id: null,
    traceparent: null,
    created_by: null,
    created_ms: 0,
  };
}

Deno.test("every state can be reached, and only ends and queues can be left by hand", () => {
  const reached = new Set<JobState>(["pending"]);
  for (let size = 0; size < reached.size;) {
    size = reached.size;
    for (const { from, to } of Object.values(moves)) {
      if ((from as readonly JobState[]).some((state) => reached.has(state))) reached.add(to);
    }
  }
  expect([...reached].sort()).toEqual([...jobStates].sort());
  for (const state of jobStates.filter(isEnd)) {
    const ways = moveNames.filter((name) => isLegal(state, name));
    expect(ways).toEqual(state === "completed" ? [] : ["retry"]);
  }
});

testOnEveryStorage("the database makes the legal changes of state, and no other", async (storage) => {
  await storage.migrate("jobs", jobMigrations);
  const store = new JobStore(storage);
  const step = fc.record({
    move: fc.constantFrom(...moveNames),
    withToken: fc.constantFrom("ours", "other", "none"),
  });
  let count = 0;
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 30 }), async (steps) => {
      const id = `job-${count++}`;
      let state: JobState = "pending";
      let version = 1;
      await store.db.transaction().execute(async (trx) => {
        await store.insert(trx, newJob(id));
        await trx.updateTable("jobs_job").set({ lease_token: "ours" }).where("id", "=", id).execute();
        for (const { move, withToken } of steps) {
          const token = withToken === "none" ? undefined : withToken;
          const row = await store.change(trx, { move, id, token, nowMs: 1, set: {} });
          const isAllowed = isLegal(state, move) && withToken !== "other";
          expect(row !== undefined).toBe(isAllowed);
          if (!isAllowed) continue;
          state = moves[move].to;
          expect(row).toMatchObject({ state, version: ++version });
        }
        const { state: stored } = await trx.selectFrom("jobs_job").select("state").where("id", "=", id)
          .executeTakeFirstOrThrow();
        expect(stored).toBe(state);
      });
    }),
    { numRuns: storage.kind === "sqlite" ? 200 : 40 },
  );
});

testOnEveryStorage(
  "a dedupe key is free again once its job has ended, and taken while it has not",
  async (storage) => {
    await storage.migrate("jobs", jobMigrations);
    const store = new JobStore(storage);
    let count = 0;
    await fc.assert(
      fc.asyncProperty(fc.array(fc.constantFrom(...moveNames), { maxLength: 12 }), async (steps) => {
        const key = `key-${count}`;
        const id = `dedupe-${count++}`;
        await store.db.transaction().execute(async (trx) => {
          await store.insert(trx, newJob(id, key));
          let state: JobState = "pending";
          for (const move of steps) {
            state = (await store.change(trx, { move, id, nowMs: 1, set: {} }))?.state ?? state;
          }
          const { row, duplicateOf } = await store.insert(trx, newJob(`${id}-again`, key));
          if (isEnd(state)) expect(row).toMatchObject({ id: `${id}-again`, state: "pending" });
          else expect(duplicateOf).toBe(id);
        });
      }),
      { numRuns: storage.kind === "sqlite" ? 100 : 30 },
    );
  },
);
