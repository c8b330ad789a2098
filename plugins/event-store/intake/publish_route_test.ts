import { expect } from "expect";
import { startTestKernel, type TestKernel } from "../../../tests/support/test_kernel.ts";
import eventStore from "../plugin.ts";

const nodeId = "hub-1a2b3c4d5e6f";

function start(settings = {}): Promise<TestKernel> {
  return startTestKernel({ plugins: [eventStore], settings: { "event-store": settings }, nodeId });
}

async function publish(kernel: TestKernel, body: unknown, headers: Record<string, string> = {}) {
  const response = await kernel.fetch("/api/events", {
    method: "POST",
    headers: { "content-type": "application/json", ...headers },
    body: typeof body === "string" ? body : JSON.stringify(body),
  });
  return { status: response.status, body: await response.json(), headers: response.headers };
}

Deno.test("an event is answered with where it landed, and found there", async () => {
  await using kernel = await start();
  const { status, body } = await publish(kernel, {
    subject: "demo.created",
    payload: { answer: 42 },
    project: "demo",
  });
  expect(status).toBe(201);
  expect(body).toEqual({
    event_id: expect.stringMatching(/^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/),
    seq: 1,
    subject: `hub.${nodeId}.demo.created`,
    correlation_id: expect.any(String),
    timestamp: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/),
  });
  const found = await (await kernel.fetch(`/api/events/${body.event_id}`)).json();
  expect(found).toEqual({
    id: body.event_id,
    seq: 1,
    subject: body.subject,
    type: "demo.created",
    origin: { node_id: nodeId, service: "api", user: expect.stringContaining("admin") },
    project: "demo",
    correlation_id: body.correlation_id,
    causation_id: null,
    timestamp: body.timestamp,
    payload: { answer: 42 },
  });
});

Deno.test("the correlation id of the request becomes that of the event, and comes back", async () => {
  await using kernel = await start();
  const id = "7d2f1c0e-4a55-4b8e-9c3e-0f5f5f0a1b2c";
  const { body, headers } = await publish(kernel, { subject: "demo.a", payload: {} }, {
    "x-correlation-id": id,
  });
  expect([body.correlation_id, headers.get("x-correlation-id")]).toEqual([id, id]);
  const list = await (await kernel.fetch(`/api/events?correlation_id=${id}`)).json();
  expect(list.items).toHaveLength(1);
});

Deno.test("the same id and content again is a 200 with the first answer; other content is a 409", async () => {
  await using kernel = await start();
  const event = { subject: "demo.made", payload: { n: 1, m: { a: 1, b: 2 } }, id: "order-17" };
  const first = await publish(kernel, event);
  const again = await publish(kernel, { ...event, payload: { m: { b: 2, a: 1 }, n: 1 } });
  expect(first.status).toBe(201);
  expect(again).toMatchObject({ status: 200, body: { ...first.body, duplicate: true } });
  expect(await publish(kernel, { ...event, payload: { n: 2 } })).toMatchObject({
    status: 409,
    body: { code: "id_conflict" },
  });
  expect(await publish(kernel, { ...event, subject: "demo.other" })).toMatchObject({ status: 409 });
  expect((await (await kernel.fetch("/api/events")).json()).items).toHaveLength(1);
});

Deno.test("of many that send the same event at once, one stores it", async () => {
  await using kernel = await start();
  const answers = await Promise.all(
    Array.from({ length: 30 }, () => publish(kernel, { subject: "demo.made", payload: {}, id: "once" })),
  );
  expect(answers.filter(({ status }) => status === 201)).toHaveLength(1);
  expect(answers.filter(({ status, body }) => status === 200 && body.duplicate)).toHaveLength(29);
  expect(new Set(answers.map(({ body }) => body.seq)).size).toBe(1);
});

Deno.test("expected_seq lets one of two writers win", async () => {
  await using kernel = await start();
  const event = { subject: "stock.changed", payload: {} };
  expect(await publish(kernel, { ...event, expected_seq: 0 })).toMatchObject({
    status: 201,
    body: { seq: 1 },
  });
  await publish(kernel, { subject: "other.changed", payload: {} });
  const race = await Promise.all([1, 1].map((expected_seq) => publish(kernel, { ...event, expected_seq })));
  expect(race.map(({ status }) => status).toSorted()).toEqual([201, 409]);
  expect(await publish(kernel, { ...event, expected_seq: 1 })).toMatchObject({
    status: 409,
    body: { code: "sequence_conflict", expected_seq: 1, actual_seq: 3 },
  });
});

Deno.test("what cannot be stored is refused with the place and the reason, and nothing is stored", async () => {
  await using kernel = await start({ max_payload: "1kb" });
  const good = { subject: "demo.made", payload: {} };
  const table: [unknown, number, string][] = [
    ["{", 400, "malformed_body"],
    ["[]", 422, "invalid_request"],
    [{ payload: {} }, 422, "invalid_request"],
    [{ subject: "demo.made" }, 422, "invalid_request"],
    [{ ...good, payload: [1] }, 422, "invalid_request"],
    [{ ...good, payload: "text" }, 422, "invalid_request"],
    [{ ...good, paylaod: {} }, 422, "invalid_request"],
    [{ ...good, origin: { node_id: "x" } }, 422, "invalid_request"],
    [{ ...good, id: "" }, 422, "invalid_request"],
    [{ ...good, id: "has space" }, 422, "invalid_request"],
    [{ ...good, project: "Not A Slug" }, 422, "invalid_request"],
    [{ ...good, expected_seq: -1 }, 422, "invalid_request"],
    [{ ...good, expected_seq: 1.5 }, 422, "invalid_request"],
    [{ ...good, subject: "demo" }, 422, "invalid_subject"],
    [{ ...good, subject: "hub.other.demo.made" }, 422, "foreign_subject"],
    [{ ...good, payload: { text: "ü".repeat(600) } }, 413, "payload_too_large"],
    ['{"subject": "demo.made", "payload": {"a": [null, {"b": -1e999}]}}', 422, "number_too_large"],
  ];
  for (const [body, status, code] of table) {
    const answer = await publish(kernel, body);
    expect({ body, status: answer.status, code: answer.body.code }).toEqual({ body, status, code });
    expect(answer.body).toMatchObject({ detail: expect.any(String), correlation_id: expect.any(String) });
  }
  expect((await (await kernel.fetch("/api/events")).json()).items).toEqual([]);
});

Deno.test("a key that is limited to projects publishes, finds and follows only those", async () => {
  await using kernel = await start();
  const made = await kernel.fetch("/api/keys", {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ name: "site", scopes: ["read", "write"], projects: ["demo"] }),
  });
  const { key } = await made.json();
  const asSite = { authorization: `Bearer ${key}` };
  await publish(kernel, { subject: "demo.secret", payload: {} });
  const { body: hidden } = await publish(kernel, { subject: "demo.secret", payload: {}, project: "other" });
  expect(await publish(kernel, { subject: "demo.seen", payload: {}, project: "demo" }, asSite)).toMatchObject(
    {
      status: 201,
    },
  );
  for (const project of [undefined, "other"]) {
    expect(await publish(kernel, { subject: "demo.x", payload: {}, project }, asSite)).toMatchObject({
      status: 403,
      body: { code: "project_forbidden" },
    });
  }
  const { items } = await (await kernel.fetch("/api/events", { headers: asSite })).json();
  expect(items).toMatchObject([{ type: "demo.seen", origin: { user: "site" } }]);
  const peek = await kernel.fetch(`/api/events/${hidden.event_id}`, { headers: asSite });
  expect([peek.status, (await peek.json()).code]).toEqual([404, "event_not_found"]);
  const stats = await kernel.fetch("/api/events/stats", { headers: asSite });
  expect([stats.status, (await stats.json()).code]).toEqual([403, "project_forbidden"]);
  const elsewhere = await kernel.fetch("/api/events?project=other", { headers: asSite });
  expect((await elsewhere.json()).items).toEqual([]);
});
