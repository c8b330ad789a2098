import { expect } from "expect";
import { waitFor } from "../../../tests/support/wait_for.ts";
import type { Kysely } from "kysely";
import { eventDraft } from "../../../tests/support/event_draft.ts";
import { startTestKernel, type TestKernel } from "../../../tests/support/test_kernel.ts";
import { verify } from "../../../tests/support/damaged_log.ts";
import { definePlugin } from "../../../core/plugin.ts";
import { z } from "zod";
import eventStore from "../plugin.ts";
import { EventStore } from "../store.ts";
import type { EventStoreTables } from "../tables.ts";

type Db = Kysely<EventStoreTables>;

/** An agent with a log of some events, and the way to its database. */
async function startWithLog(count: number): Promise<{ kernel: TestKernel; db: Db }> {
  let db: Db | undefined;
  const filler = definePlugin({
    name: "filler",
    summary: "Fills the log",
    config: z.strictObject({}),
    prefixes: [],
    start: async ({ storage }) => {
      db = storage.tables<EventStoreTables>();
      const store = new EventStore(storage);
      for (let start = 0; start < count; start += 500) {
        const part = Array.from(
          { length: Math.min(500, count - start) },
          () => eventDraft("hub.a.demo.created"),
        );
        await store.append(part, 1);
      }
    },
  });
  const kernel = await startTestKernel({ plugins: [eventStore, filler] });
  return { kernel, db: db! };
}

async function keyOf(kernel: TestKernel, key: object): Promise<string> {
  const answer = await kernel.fetch("/api/keys", {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ name: "verifier", ...key }),
  });
  return (await answer.json()).key;
}

Deno.test("a verification tells the head to note, and later whether the log holds it still", async () => {
  const { kernel, db } = await startWithLog(20);
  await using _kernel = kernel;
  const first = await verify(kernel);
  const { hash } = await db.selectFrom("event_store_head").select("hash").executeTakeFirstOrThrow();
  expect(first).toEqual({
    ok: true,
    from_seq: 1,
    head: { seq: 20, hash },
    events: 20,
    findings: [],
    finding_count: 0,
    removed: [],
  });
  expect(await verify(kernel, `?expect=20:${hash}&from_seq=15`)).toMatchObject({
    ok: true,
    from_seq: 15,
    events: 6,
  });
  expect(await verify(kernel, `?expect=20:${"0".repeat(64)}`)).toMatchObject({
    ok: false,
    findings: [{ kind: "not_as_expected", seq: 20 }],
  });
  expect(await verify(kernel, "?expect=20")).toMatchObject({ status: 422 });
});

Deno.test("what it finds shows in /health from then on", async () => {
  const { kernel, db } = await startWithLog(20);
  await using _kernel = kernel;
  const check = async () => {
    const { checks } = await (await kernel.fetch("/health")).json();
    return checks.find(({ name }: { name: string }) => name === "log");
  };
  // A caller's wrong note is the caller's: anybody who may read could make the agent look damaged otherwise.
  expect(await verify(kernel, "?from_seq=1000")).toMatchObject({ ok: false, finding_count: 1 });
  expect(await verify(kernel, `?expect=20:${"0".repeat(64)}`)).toMatchObject({ ok: false });
  expect(await check()).toMatchObject({ status: "up" });
  await db.updateTable("event_store_event").set({ payload: "{}", user_name: "somebody" }).where("seq", "=", 7)
    .execute();
  expect(await verify(kernel)).toMatchObject({
    ok: false,
    finding_count: 1,
    findings: [{ kind: "content_changed", seq: 7, to_seq: 7, detail: "Event 7 is not what was stored" }],
  });
  // A report on health is up to a second old.
  await waitFor(async () => (await check()).status === "degraded", { what: "the check to tell of it" });
  expect(await check()).toMatchObject({ message: expect.stringContaining("Event 7") });
});

Deno.test("one verification at a time; who leaves ends it", async () => {
  const { kernel } = await startWithLog(20_000);
  await using _kernel = kernel;
  const left = new AbortController();
  const running = await kernel.fetch("/api/events/verify", { signal: left.signal });
  expect(running.status).toBe(200);
  const second = await kernel.fetch("/api/events/verify");
  expect([second.status, (await second.json()).code]).toEqual([409, "verify_running"]);
  left.abort();
  await running.body!.cancel().catch(() => {}); // the abort has broken it
  let third = await verify(kernel);
  for (let tries = 0; third.code === "verify_running" && tries < 100; tries++) {
    await new Promise((resolve) => setTimeout(resolve, 10));
    third = await verify(kernel);
  }
  expect(third).toMatchObject({ ok: true, events: 20_000 });
});

Deno.test("a key that is limited to projects may not verify, an unlimited one that reads may", async () => {
  const { kernel } = await startWithLog(3);
  await using _kernel = kernel;
  const ask = async (key: string) => {
    const answer = await kernel.fetch("/api/events/verify", { headers: { authorization: `Bearer ${key}` } });
    await answer.body?.cancel();
    return answer.status;
  };
  expect(await ask(await keyOf(kernel, { scopes: ["read"], projects: ["one"] }))).toBe(403);
  expect(await ask(await keyOf(kernel, { scopes: ["read"] }))).toBe(200);
  const head = await kernel.fetch("/api/events/verify", { method: "HEAD" });
  await head.body?.cancel();
  expect(head.status).toBe(200);
});

Deno.test("an agent that stops ends a verification, and says so", async () => {
  const { kernel } = await startWithLog(20_000);
  const answer = await kernel.fetch("/api/events/verify");
  const text = answer.text();
  await kernel[Symbol.asyncDispose]();
  expect(await text).toMatch(/event: error\ndata: \{.*"code":"stopping"/);
});
