import { expect } from "expect";
import fc from "fast-check";
import { startSeededKernel, testOnEveryLog } from "../../../tests/support/seeded_kernel.ts";
import { waitFor } from "../../../tests/support/wait_for.ts";
import { allEvents, send, testNodeId, testOnEveryKernel } from "../../../tests/support/every_kernel.ts";

const lines = { "content-type": "application/x-ndjson" };
const foreign = (n: number, more: object = {}) => ({
  id: `f-${n}`,
  seq: 100 + n,
  subject: "hub.elsewhere.demo.made",
  type: "demo.made",
  origin: { node_id: "elsewhere", service: "rss-ingest", user: null },
  project: null,
  correlation_id: "c 1 ü",
  causation_id: null,
  timestamp: "2020-01-02T03:04:05.006Z",
  traceparent: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
  attributes: { source: "/s", n: 5, flag: true },
  payload: { n, text: "ü" },
  ...more,
});
const ndjson = (values: readonly unknown[]) => values.map((value) => JSON.stringify(value)).join("\n");

testOnEveryKernel("events keep all but their sequence", async (kernel) => {
  await send(kernel, "/api/events", { subject: "demo.own", payload: {} });
  const events = [
    foreign(1),
    foreign(2, { subject: "hub.global.demo.made" }),
    foreign(3, {
      id: "f-1",
      origin: { node_id: testNodeId, service: "api", user: "me" },
      subject: `hub.${testNodeId}.demo.made`,
    }),
  ];
  expect(await send(kernel, "/api/events/import", ndjson(events), lines)).toMatchObject({
    status: 201,
    body: { count: 3, first_seq: 2, last_seq: 4, duplicates: 0 },
  });
  expect((await allEvents(kernel)).slice(1)).toEqual(
    events.map((event, index) => ({ ...event, seq: index + 2 })),
  );
  expect(await send(kernel, "/api/events/import", events)).toMatchObject({
    status: 200,
    body: { duplicates: 3, first_seq: 2 },
  });
  const both = await (await kernel.fetch("/api/events?id=f-1")).json();
  expect(both.items.map(({ seq }: { seq: number }) => seq)).toEqual([2, 4]);
  const { items } = await (await kernel.fetch(`/api/events?id=f-1&origin=${testNodeId}`)).json();
  expect(items).toHaveLength(1);
  const one = await (await kernel.fetch(`/api/events/f-1?origin=${testNodeId}`)).json();
  expect(one.seq).toBe(4);
  const nobody = await (await kernel.fetch("/api/events/f-1?origin=nobody")).json();
  expect(nobody.code).toBe("event_not_found");
  expect((await (await kernel.fetch("/api/events/f-1")).json()).seq).toBe(2);
});

testOnEveryLog("imported events do not go on the bus, not even those of this node", async (place) => {
  await using kernel = await startSeededKernel(place, { nodeId: testNodeId });
  const own = {
    origin: { node_id: testNodeId, service: "api", user: null },
    subject: `hub.${testNodeId}.demo.made`,
  };
  await send(kernel, "/api/events/import", [foreign(1), foreign(2, own)]);
  await send(kernel, "/api/events", { subject: "demo.made", payload: {}, id: "published" });
  await waitFor(() => kernel.messages.length > 0, { what: "the published event on the bus" });
  expect(kernel.messages.map(({ headers }) => headers["ce-id"])).toEqual(["published"]);
});

testOnEveryKernel(
  "an id that stands for something else here is a conflict, named with its index",
  async (kernel) => {
    await send(kernel, "/api/events/import", [foreign(1)]);
    expect(await send(kernel, "/api/events/import", [foreign(2), foreign(1, { payload: { other: 1 } })]))
      .toMatchObject({
        status: 409,
        body: { errors: [{ index: 1, code: "id_conflict" }] },
      });
    expect(await allEvents(kernel)).toHaveLength(1);
  },
);

testOnEveryKernel("each faulty line is named, and nothing is stored", async (kernel) => {
  const faulty: object[] = [
    { id: undefined },
    { subject: "hub.other.demo.made" },
    { subject: "hub.elsewhere.demo.other" },
    { type: "made", subject: "hub.elsewhere.made" },
    { subject: "hub.elsewhere.demo.*", type: "demo.*" },
    { origin: { node_id: "a.b", service: "x", user: null } },
    { origin: { node_id: "elsewhere", service: "x" } },
    { timestamp: "yesterday" },
    { timestamp: "9999-12-31T23:59:59-01:00" },
    { payload: undefined },
    { attributes: { Upper: "x" } },
    { attributes: { nested: {} } },
    { unknown: 1 },
    { payload: { text: "x".repeat(2000) } },
  ];
  const batch = [foreign(0), ...faulty.map((change, n) => foreign(n + 1, change)), foreign(99)];
  const { status, body } = await send(kernel, "/api/events/import", ndjson(batch), lines);
  expect({ status, code: body.code, indexes: body.errors.map(({ index }: { index: number }) => index) })
    .toEqual({
      status: 422,
      code: "invalid_batch",
      indexes: faulty.map((_, n) => n + 1),
    });
  expect(await allEvents(kernel)).toEqual([]);
}, { max_payload: "1kb" });

testOnEveryKernel(
  "a payload that is no object, as a plugin's may be, is taken in as it is",
  async (kernel) => {
    const payloads = [null, [1, null], "text", 5, true];
    const events = payloads.map((payload, n) => foreign(n, { payload }));
    expect(await send(kernel, "/api/events/import", ndjson(events), lines)).toMatchObject({ status: 201 });
    expect((await allEvents(kernel)).map(({ payload }) => payload)).toEqual(payloads);
  },
);

testOnEveryKernel("only an admin may say what another node said", async (kernel) => {
  const { body: { key } } = await send(kernel, "/api/keys", { name: "site", scopes: ["write"] });
  expect(await send(kernel, "/api/events/import", [foreign(1)], { authorization: `Bearer ${key}` }))
    .toMatchObject({
      status: 403,
      body: { code: "insufficient_scope" },
    });
});

testOnEveryKernel(
  "whatever bytes come, the answer is proper and names lines that are there",
  async (kernel) => {
    const good = JSON.stringify(foreign(1));
    const broken = fc.tuple(fc.nat(good.length), fc.string({ unit: "binary" }), fc.nat(3)).map((
      [at, odd, cut],
    ) => good.slice(0, at) + odd + good.slice(at + cut));
    const line = fc.oneof(fc.constant(good), broken, fc.json(), fc.constant("\u0000"), fc.constant(""));
    await fc.assert(
      fc.asyncProperty(fc.array(line, { maxLength: 6 }), async (drawn) => {
        const text = drawn.join("\n").toWellFormed();
        const { status, body } = await send(kernel, "/api/events/import", text, lines);
        expect([200, 201, 409, 422]).toContain(status);
        const count = text.split("\n").filter((each) => /[^\0-\x20]/.test(each)).length;
        for (const { index, code, detail } of body.errors ?? []) {
          expect(index).toBeLessThan(Math.max(count, 1));
          expect([typeof code, typeof detail]).toEqual(["string", "string"]);
          expect(detail.length).toBeLessThanOrEqual(300);
        }
      }),
      { numRuns: 150 },
    );
  },
);
