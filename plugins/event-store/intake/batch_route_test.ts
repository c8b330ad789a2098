import { expect } from "expect";
import fc from "fast-check";
import { allEvents, send, testNodeId, testOnEveryKernel } from "../../../tests/support/every_kernel.ts";

const event = (n: number, more: object = {}) => ({ subject: `demo.made.n${n % 3}`, payload: { n }, ...more });
const events = (count: number) => Array.from({ length: count }, (_, n) => event(n));
const lines = (values: readonly unknown[]) => values.map((value) => JSON.stringify(value)).join("\n");

testOnEveryKernel("a batch lands in its order, without a gap, in each of its forms", async (kernel) => {
  const forms: [string, string][] = [
    ["application/json", JSON.stringify(events(3))],
    ["application/json; charset=utf-8", JSON.stringify(events(3))],
    ["application/x-ndjson", lines(events(3))],
    ["application/jsonl", `\n${lines(events(3)).replaceAll("\n", "\r\n\r\n")}\r\n`],
  ];
  for (const [index, [type, body]] of forms.entries()) {
    const first = 1 + 3 * index;
    expect(await send(kernel, "/api/events/batch", body, { "content-type": type })).toMatchObject({
      status: 201,
      body: { count: 3, first_seq: first, last_seq: first + 2, duplicates: 0 },
    });
  }
  const stored = await allEvents(kernel);
  expect(stored.map(({ payload }) => payload)).toEqual(
    forms.flatMap(() => events(3).map(({ payload }) => payload)),
  );
  expect(new Set(stored.map(({ correlation_id }) => correlation_id)).size).toBe(forms.length);
});

testOnEveryKernel("a batch that comes again is told where it stood the first time", async (kernel) => {
  const batch = events(300).map((each, n) => ({ ...each, id: `e-${n}` }));
  const first = await send(kernel, "/api/events/batch", batch);
  expect(first).toMatchObject({
    status: 201,
    body: { count: 300, first_seq: 1, last_seq: 300, duplicates: 0 },
  });
  const again = await send(kernel, "/api/events/batch", batch);
  expect(again).toMatchObject({ status: 200, body: { ...first.body, duplicates: 300 } });
  const more = await send(kernel, "/api/events/batch", [
    ...batch.slice(290),
    event(1),
    event(1, { id: "twice" }),
    event(1, { id: "twice" }),
  ]);
  expect(more).toMatchObject({
    status: 201,
    body: { count: 13, first_seq: 291, last_seq: 302, duplicates: 11 },
  });
  expect(await allEvents(kernel)).toHaveLength(302);
});

testOnEveryKernel(
  "a conflict in the middle leaves nothing of the batch, and is named with its index",
  async (kernel) => {
    await send(kernel, "/api/events", event(0, { id: "taken" }));
    const batch: object[] = events(900);
    batch[450] = event(1, { id: "taken" });
    batch[700] = { subject: "demo.made.n0", payload: {}, expected_seq: 77 };
    const refused = await send(kernel, "/api/events/batch", batch);
    expect(refused).toMatchObject({
      status: 409,
      body: {
        code: "batch_conflict",
        errors: [
          { index: 450, code: "id_conflict", detail: expect.stringContaining("taken") },
          { index: 700, code: "sequence_conflict", detail: expect.any(String) },
        ],
      },
    });
    expect(await allEvents(kernel)).toHaveLength(1);
    expect(await send(kernel, "/api/events", event(2))).toMatchObject({ status: 201, body: { seq: 2 } });
  },
);

testOnEveryKernel("large payloads go in parts, and still all or nothing", async (kernel) => {
  const large = Array.from({ length: 30 }, (_, n) => event(n, { payload: { n, text: "ü".repeat(100_000) } }));
  const taken = { ...event(0), id: "taken" };
  await send(kernel, "/api/events", taken);
  expect(await send(kernel, "/api/events/batch", [...large, event(5, { id: "taken" })])).toMatchObject({
    status: 409,
    body: { errors: [{ index: 30 }] },
  });
  expect(await send(kernel, "/api/events/batch", large)).toMatchObject({
    status: 201,
    body: { count: 30, first_seq: 2, last_seq: 31 },
  });
  expect((await allEvents(kernel)).map(({ payload }) => (payload as { n?: number }).n)).toEqual([
    0,
    ...large.keys(),
  ]);
});

testOnEveryKernel("expected_seq sees what is before it in the same batch", async (kernel) => {
  const stock = (expected_seq: number) => ({ subject: "stock.changed", payload: {}, expected_seq });
  expect(await send(kernel, "/api/events/batch", [event(0), stock(0), event(1)])).toMatchObject({
    status: 201,
  });
  expect(await send(kernel, "/api/events/batch", [stock(2), stock(2)])).toMatchObject({
    status: 409,
    body: { errors: [{ index: 1, code: "sequence_conflict" }] },
  });
  expect(await send(kernel, "/api/events/batch", [stock(2), stock(4)])).toMatchObject({ status: 201 });
});

testOnEveryKernel("each faulty event is named with its index, and nothing is stored", async (kernel) => {
  const good = event(1);
  const batch = [
    good,
    { ...good, subject: "demo" },
    { ...good, payload: [1] },
    good,
    "text",
    { ...good, subject: "hub.other.demo.made" },
    { ...good, payload: { text: "x".repeat(1100) } },
    null,
    { ...good, id: "has space" },
  ];
  const faults = [
    [1, "invalid_subject"],
    [2, "invalid_request"],
    [4, "invalid_request"],
    [5, "foreign_subject"],
    [
      6,
      "payload_too_large",
    ],
    [7, "invalid_request"],
    [8, "invalid_request"],
  ];
  for (
    const [type, body] of [["application/json", JSON.stringify(batch)], [
      "application/x-ndjson",
      lines(batch),
    ]]
  ) {
    const refused = await send(kernel, "/api/events/batch", body!, { "content-type": type! });
    expect(refused).toMatchObject({
      status: 422,
      body: { code: "invalid_batch", detail: expect.stringContaining("Event 1:") },
    });
    expect(refused.body.errors.map(({ index, code }: { index: number; code: string }) => [index, code]))
      .toEqual(faults);
  }
  const broken = `${
    JSON.stringify(good)
  }\n{"subject": \n{"subject": "demo.x", "payload": {"a": "\\u0000"}}\n\xff`;
  expect(await send(kernel, "/api/events/batch", broken, { "content-type": "application/jsonl" }))
    .toMatchObject({
      status: 422,
      body: {
        errors: [{ index: 1, code: "malformed_body" }, { index: 2, code: "unstorable_text" }, {
          index: 3,
          code: "malformed_body",
        }],
      },
    });
  expect(await allEvents(kernel)).toEqual([]);
}, { max_payload: "1kb" });

testOnEveryKernel("a body that is no batch, too large or of another type is refused", async (kernel) => {
  const table: [string, string, number, string][] = [
    ["application/json", "[]", 422, "invalid_batch"],
    ["application/json", JSON.stringify(event(1)), 422, "invalid_batch"],
    ["application/json", "[{]", 400, "malformed_body"],
    ["application/x-ndjson", "", 422, "invalid_batch"],
    ["application/x-ndjson", "\n\r\n \n", 422, "invalid_batch"],
    ["application/json", JSON.stringify(events(1001)), 413, "batch_too_large"],
    ["application/jsonl", lines(events(1001)), 413, "batch_too_large"],
    ["application/json", `[${" ".repeat(8 * 1024 * 1024)}]`, 413, "body_too_large"],
    ["application/cloudevents+json", JSON.stringify(events(1)), 415, "unsupported_media_type"],
    ["text/plain", JSON.stringify(events(1)), 415, "unsupported_media_type"],
  ];
  for (const [type, body, status, code] of table) {
    const answer = await send(kernel, "/api/events/batch", body, { "content-type": type });
    expect({ type, body: body.slice(0, 20), status: answer.status, code: answer.body.code })
      .toEqual({ type, body: body.slice(0, 20), status, code });
  }
  expect(await send(kernel, "/api/events/batch", events(1000))).toMatchObject({
    status: 201,
    body: { count: 1000 },
  });
  expect(
    await send(kernel, "/api/events/batch", lines(events(1000)), { "content-type": "application/jsonl" }),
  )
    .toMatchObject({ status: 201, body: { first_seq: 1001 } });
});

testOnEveryKernel("a key that is limited to projects is told of its own faults only", async (kernel) => {
  const { body: { key } } = await send(kernel, "/api/keys", {
    name: "site",
    scopes: ["write"],
    projects: ["demo"],
  });
  const asSite = { authorization: `Bearer ${key}` };
  await send(kernel, "/api/events", event(0, { project: "other" }));
  expect(
    await send(kernel, "/api/events/batch", [
      event(0, { project: "demo" }),
      event(1),
      event(2, { project: "other" }),
    ], asSite),
  )
    .toMatchObject({
      status: 422,
      body: { errors: [{ index: 1, code: "project_forbidden" }, { index: 2, code: "project_forbidden" }] },
    });
  const { status, body } = await send(kernel, "/api/events/batch", [
    event(0, { project: "demo", expected_seq: 0 }),
  ], asSite);
  expect({ status, errors: body.errors }).toEqual({
    status: 409,
    errors: [{
      index: 0,
      code: "sequence_conflict",
      detail: "The subject is not at expected_seq; read it again",
    }],
  });
  expect(JSON.stringify(body)).not.toContain("sequence 1");
});

testOnEveryKernel(
  "batches and single events that race keep the order of the log without gaps",
  async (kernel) => {
    const answers = await Promise.all(Array.from({ length: 20 }, async (_, n) => {
      if (n % 2) return await send(kernel, "/api/events", event(n));
      return await send(kernel, "/api/events/batch", Array.from({ length: 50 }, () => event(n)));
    }));
    expect(answers.every(({ status }) => status === 201)).toBe(true);
    const stored = await allEvents(kernel);
    expect(stored.map(({ seq }) => seq)).toEqual(Array.from({ length: 510 }, (_, index) => index + 1));
    for (const { body } of answers.filter((_, n) => n % 2 === 0)) {
      const part = stored.slice(body.first_seq - 1, body.last_seq);
      expect(part).toHaveLength(50);
      expect(new Set(part.map(({ correlation_id }) => correlation_id)).size).toBe(1);
    }
  },
);

const authored = fc.record({
  subject: fc.constantFrom("demo.made", "demo.part.made", "hub.global.demo.made"),
  payload: fc.dictionary(fc.string(), fc.jsonValue({ maxDepth: 2 }), { maxKeys: 3 })
    .filter((value) => !/\\u(0000|d[89a-f])/i.test(JSON.stringify(value))),
  project: fc.option(fc.constantFrom("one", "two"), { nil: undefined }),
  causation_id: fc.option(fc.constantFrom("x", "y"), { nil: undefined }),
  correlation_id: fc.option(fc.constantFrom("c1", "c2"), { nil: undefined }),
}, { noNullPrototype: true });

testOnEveryKernel("a batch stores what its events would have stored one by one", async (kernel) => {
  const withoutPlace = (stored: Record<string, unknown>) => {
    const { id: _, seq: __, timestamp: ___, ...rest } = stored;
    return rest;
  };
  const headers = { "x-correlation-id": "same" };
  await fc.assert(
    fc.asyncProperty(fc.array(authored, { minLength: 1, maxLength: 20 }), async (batch) => {
      const before = (await allEvents(kernel)).length;
      for (const each of batch) expect((await send(kernel, "/api/events", each, headers)).status).toBe(201);
      expect((await send(kernel, "/api/events/batch", batch, headers)).status).toBe(201);
      const stored = (await allEvents(kernel)).slice(before).map(withoutPlace);
      expect(stored).toHaveLength(2 * batch.length);
      expect(stored.slice(batch.length)).toEqual(stored.slice(0, batch.length));
    }),
    { numRuns: 25 },
  );
});

testOnEveryKernel("a batch reaches those who follow, each event once", async (kernel) => {
  const response = await kernel.fetch("/api/events/sse?after_seq=0");
  const reader = response.body!.pipeThrough(new TextDecoderStream()).getReader();
  await send(kernel, "/api/events/batch", events(700));
  let text = "";
  while (!text.includes("id: 700\n")) text += (await reader.read()).value;
  await reader.cancel();
  expect([...text.matchAll(/^id: (\d+)$/gm)].map(([, seq]) => Number(seq)))
    .toEqual(Array.from({ length: 700 }, (_, index) => index + 1));
  expect((await allEvents(kernel))[0]).toMatchObject({ origin: { node_id: testNodeId, service: "api" } });
});
