import { expect } from "expect";
import { startTestKernel, type TestKernel } from "../../../tests/support/test_kernel.ts";
import { createDatabase } from "../../../tests/support/postgres.ts";
import { testWithPostgres } from "../../../tests/support/test_with.ts";
import { waitFor } from "../../../tests/support/wait_for.ts";
import { base, call, fetchSome, post, publish, put, start } from "../../../tests/support/consumer_calls.ts";
import eventStore from "../plugin.ts";

Deno.test("a worker's day: make a consumer, fetch, acknowledge, give back, ask for more time, look", async () => {
  await using kernel = await start();
  await publish(kernel, 3);
  const settings = { subject: "demo.>", start: "first", ack_wait: "1m", max_deliveries: 1, description: "d" };
  const made = await put(kernel, "billing", settings);
  expect(made).toMatchObject({
    status: 201,
    body: {
      name: "billing",
      subject: "hub.*.demo.>",
      position: 0,
      lag: 3,
      owner: null,
      projects: null,
      ack_wait: "1m",
    },
  });
  expect(await put(kernel, "billing", settings)).toEqual({ ...made, status: 200 });
  await publish(kernel, 1);

  const items = await fetchSome(kernel, "billing", { limit: 3 });
  expect(items).toMatchObject([1, 2, 3].map((seq) => ({ attempt: 1, event: { seq, payload: { n: seq } } })));
  const [one, two, three] = items.map(({ token }) => token);
  expect(await post(kernel, "billing/ack", { tokens: [one, one] })).toEqual({
    status: 200,
    body: { acknowledged: 1, stale: [] },
  });
  expect(await post(kernel, "billing/extend", { tokens: [one, two], ack_wait: "5m" })).toEqual({
    status: 200,
    body: { extended: 1, stale: [one] },
  });
  expect(await post(kernel, "billing/nak", { tokens: [three], delay: "1h", error: "out of paper" })).toEqual({
    status: 200,
    body: { returned: 1, dead: 1, stale: [] },
  });
  expect((await call(kernel, "GET", `${base}/billing`)).body).toMatchObject({
    position: 3,
    lag: 1,
    in_flight: 1,
    waiting: 0,
    redelivered: 0,
    oldest_unacked: 2,
    dead_letters: 1,
    paused: false,
  });

  const { body: dead } = await call(kernel, "GET", `${base}/billing/dead-letters`);
  expect(dead).toMatchObject({
    items: [{
      seq: 3,
      reason: "max_deliveries",
      deliveries: 1,
      errors: [{ error: "out of paper" }],
      event: { payload: { n: 3 } },
    }],
    next: null,
  });
  expect(await post(kernel, "billing/dead-letters/replay")).toMatchObject({
    body: { replayed: 1, remaining: 0 },
  });
  expect(await fetchSome(kernel, "billing")).toMatchObject([{ attempt: 1, event: { seq: 3 } }, {
    event: { seq: 4 },
  }]);

  expect((await call(kernel, "DELETE", `${base}/billing`)).status).toBe(204);
  expect(await call(kernel, "GET", `${base}/billing`)).toMatchObject({
    status: 404,
    body: { code: "consumer_not_found" },
  });
});

Deno.test("dead letters are listed in pages and forgotten one by one or all together", async () => {
  await using kernel = await start();
  await publish(kernel, 5);
  await put(kernel, "c", { subject: ">", start: "first", max_deliveries: 1 });
  const tokens = (await fetchSome(kernel, "c")).map(({ token }) => token);
  await post(kernel, "c/nak", { tokens });
  const first = (await call(kernel, "GET", `${base}/c/dead-letters?limit=3`)).body;
  const second = (await call(kernel, "GET", `${base}/c/dead-letters?limit=3&cursor=${first.next}`)).body;
  const seqs = [first, second].map(({ items }) => items.map(({ seq }: { seq: number }) => seq));
  expect([...seqs, second.next]).toEqual([[1, 2, 3], [4, 5], null]);
  expect((await call(kernel, "DELETE", `${base}/c/dead-letters/4`)).status).toBe(204);
  expect(await call(kernel, "DELETE", `${base}/c/dead-letters/4`)).toMatchObject({
    status: 404,
    body: { code: "dead_letter_not_found" },
  });
  expect((await call(kernel, "DELETE", `${base}/c/dead-letters`)).status).toBe(204);
  expect((await call(kernel, "GET", `${base}/c`)).body).toMatchObject({ dead_letters: 0 });
});

Deno.test("a consumer starts where it is told, and narrows what it gets", async () => {
  await using kernel = await start();
  await publish(kernel, 3);
  const position = async (start: unknown) =>
    (await put(kernel, `at-${crypto.randomUUID()}`, { subject: ">", start })).body.position;
  expect(await position("first")).toBe(0);
  expect(await position("new")).toBe(3);
  expect(await position({ seq: 2 })).toBe(1);
  expect(await position({ seq: 4 })).toBe(3);
  expect(await position({ time: "1h" })).toBe(0);
  expect(await position({ time: new Date(Date.now() + 60_000).toISOString() })).toBe(3);
  expect((await put(kernel, "default", { subject: ">" })).body).toMatchObject({ position: 3, start: "new" });
  await publish(kernel, 1, { project: "one" });
  await publish(kernel, 1, { subject: "demo.deleted", project: "one" });
  for (
    const [narrowing, seqs] of [
      [{ subject: ">" }, [1, 2, 3, 4, 5]],
      [{ subject: "demo.created" }, [1, 2, 3, 4]],
      [{ subject: ">", type: "*.deleted" }, [5]],
      [{ subject: ">", project: "one", type: "demo.created" }, [4]],
      [{ subject: ">", origin: "somebody-else" }, []],
    ] as const
  ) {
    const name = crypto.randomUUID();
    await put(kernel, name, { start: "first", ...narrowing });
    expect((await fetchSome(kernel, name)).map(({ event }) => event.seq)).toEqual([...seqs]);
    expect((await call(kernel, "GET", `${base}/${name}`)).body.lag).toBe(0);
  }
});

Deno.test("changing a consumer keeps its position; where it starts stays", async () => {
  await using kernel = await start();
  await publish(kernel, 4);
  await put(kernel, "c", { subject: ">", start: "first" });
  expect(await fetchSome(kernel, "c", { limit: 2 })).toHaveLength(2);
  expect(await put(kernel, "c", { subject: "demo.deleted", max_deliveries: 3 })).toMatchObject({
    status: 200,
    body: { subject: "hub.*.demo.deleted", position: 2, start: "first", max_deliveries: 3 },
  });
  expect(await fetchSome(kernel, "c")).toEqual([]);
  expect(await put(kernel, "c", { subject: ">", start: "new" })).toMatchObject({
    status: 409,
    body: { code: "consumer_started" },
  });
});

Deno.test("a fetch waits for what comes, for what is resumed, and for what is due again", async () => {
  await using kernel = await start();
  await put(kernel, "c", { subject: "demo.>", ack_wait: "200ms" });
  const waiting = fetchSome(kernel, "c", { wait: "20s" });
  const other = fetchSome(kernel, "c", { wait: "20s" });
  await publish(kernel, 1, { subject: "other.thing" });
  await publish(kernel, 2);
  const got = [...await waiting, ...await other];
  expect(got.map(({ event }) => event.seq).sort()).toEqual([2, 3]);
  // Nobody acknowledges: the leases end.
  const again = await fetchSome(kernel, "c", { wait: "20s" });
  expect(again[0]).toMatchObject({ attempt: 2 });
  const { status } = await post(kernel, "c/nak", { tokens: again.map(({ token }) => token), delay: "50ms" });
  expect(status).toBe(200);
  const back = await fetchSome(kernel, "c", { wait: "20s" });
  await post(kernel, "c/ack", { tokens: back.map(({ token }) => token) });

  await post(kernel, "c/pause");
  await publish(kernel, 1);
  const paused = fetchSome(kernel, "c", { wait: "20s" });
  expect((await post(kernel, "c/resume")).body).toMatchObject({ paused: false });
  expect((await paused).length).toBeGreaterThan(0);
});

Deno.test("a wait ends when the plugin or the agent stops, when its time is over, or when the client leaves", async () => {
  await using kernel = await start({ consumers: { max_waiting: 1 } });
  await put(kernel, "c", { subject: "demo.>" });
  expect(await fetchSome(kernel, "c", { wait: "50ms" })).toEqual([]);
  const leaving = new AbortController();
  const left = kernel.fetch(`${base}/c/fetch`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: '{"wait":"20s"}',
    signal: leaving.signal,
  }).catch(() => "left");
  const refused = async () => (await post(kernel, "c/fetch", { wait: "1ms" })).body.code;
  await waitFor(async () => await refused() === "too_many_waiting", { what: "the fetch to wait" });
  leaving.abort();
  expect(await left).toBe("left");
  await waitFor(async () => await refused() === undefined, { what: "the wait to end" });
  await publish(kernel, 1);
  const [item] = await fetchSome(kernel, "c");
  expect(item).toMatchObject({ attempt: 1 }); // nobody took it for the client that left
  const waiting = fetchSome(kernel, "c", { wait: "20s" });
  await waitFor(async () => await refused() === "too_many_waiting", { what: "the fetch to wait" });
  await kernel.stopPlugin("event-store");
  expect(await waiting).toEqual([]);
  await kernel.startPlugin("event-store");
  expect((await call(kernel, "GET", `${base}/c`)).body).toMatchObject({ in_flight: 1 });
});

testWithPostgres(
  "two agents on one PostgreSQL share a consumer; one's news reach the other's waiting fetch",
  async () => {
    await using database = await createDatabase();
    const options = { plugins: [eventStore], storageUrl: database.url };
    await using one = await startTestKernel({ ...options, nodeId: "one" });
    await using two = await startTestKernel({ ...options, nodeId: "two" });
    await put(one, "c", { subject: "demo.>" });
    const waiting = fetchSome(two, "c", { wait: "20s" });
    await publish(one, 40);
    const seen = (await waiting).map(({ event }) => event.seq);
    const work = async (kernel: TestKernel) => {
      for (;;) {
        const items = await fetchSome(kernel, "c", { limit: 3 });
        if (items.length === 0) return;
        seen.push(...items.map(({ event }) => event.seq));
        const { body } = await post(kernel, "c/ack", { tokens: items.map(({ token }) => token) });
        expect(body).toEqual({ acknowledged: items.length, stale: [] });
      }
    };
    await Promise.all([one, two, one, two].map(work));
    expect(seen.toSorted((a, b) => a - b)).toEqual(Array.from({ length: 40 }, (_, index) => index + 1));
  },
);
