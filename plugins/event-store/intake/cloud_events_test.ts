import { expect } from "expect";
import fc from "fast-check";
import { allEvents, send, testNodeId, testOnEveryKernel } from "../../../tests/support/every_kernel.ts";
import type { TestKernel } from "../../../tests/support/test_kernel.ts";

const structured = { "content-type": "application/cloudevents+json; charset=utf-8" };
const batched = { "content-type": "application/cloudevents-batch+json" };

/** As the specification has them, with JSON objects as data. */
const minimal = {
  specversion: "1.0",
  id: "B234-1234-1234",
  source: "/mycontext",
  type: "com.example.someevent",
};
const full = {
  specversion: "1.0",
  type: "com.example.someevent",
  source: "https://github.com/cloudevents/spec/pull",
  subject: "123",
  id: "A234-1234-1234",
  time: "2018-04-05T17:31:00Z",
  comexampleextension1: "value",
  comexampleothervalue: 5,
  datacontenttype: "application/json",
  dataschema: "https://example.com/schema.json",
  data: { appinfoA: "abc", appinfoB: 123, appinfoC: true },
};

async function asCloudEvent(kernel: TestKernel, id: string) {
  const response = await kernel.fetch(`/api/events/${id}`, {
    headers: { accept: "application/cloudevents+json" },
  });
  expect(response.headers.get("content-type")).toBe("application/cloudevents+json");
  return await response.json();
}

testOnEveryKernel(
  "the examples of the specification are stored, and come back as they were",
  async (kernel) => {
    expect(await send(kernel, "/api/events", full, structured)).toMatchObject({
      status: 201,
      body: {
        event_id: full.id,
        seq: 1,
        subject: `hub.${testNodeId}.com.example.someevent`,
        timestamp: "2018-04-05T17:31:00.000Z",
      },
    });
    expect(await asCloudEvent(kernel, full.id)).toEqual({
      ...full,
      time: "2018-04-05T17:31:00.000Z",
      comexampleothervalue: "5",
      correlationid: expect.any(String),
      authid: expect.stringContaining("admin"),
      origin: `/hub/${testNodeId}/api`,
      sequence: "1",
    });
    expect(await send(kernel, "/api/events", minimal, structured)).toMatchObject({ status: 201 });
    expect(await asCloudEvent(kernel, minimal.id)).toMatchObject({ ...minimal, data: {}, sequence: "2" });
    const [stored] = await allEvents(kernel);
    expect(stored).toMatchObject({
      type: "com.example.someevent",
      project: "123",
      origin: { node_id: testNodeId, service: "api" },
      attributes: {
        comexampleextension1: "value",
        comexampleothervalue: "5",
        dataschema: full.dataschema,
        source: full.source,
      },
      payload: full.data,
    });
  },
);

testOnEveryKernel("binary mode says the same as structured mode", async (kernel) => {
  const { data, datacontenttype, ...attributes } = full;
  const headers = Object.fromEntries(
    Object.entries(attributes).map(([name, value]) => [`ce-${name}`, encodeURI(String(value))]),
  );
  const binary = {
    ...headers,
    "content-type": datacontenttype,
    "ce-euro": "Euro%20%E2%82%AC%20%F0%9F%98%80",
  };
  expect(await send(kernel, "/api/events", data, binary)).toMatchObject({ status: 201 });
  expect(await send(kernel, "/api/events", { ...full, euro: "Euro € 😀" }, structured)).toMatchObject({
    status: 200,
    body: { duplicate: true },
  });
  expect(await asCloudEvent(kernel, full.id)).toMatchObject({ euro: "Euro € 😀", source: full.source });
  expect(await send(kernel, "/api/events", { ...data, more: 1 }, binary)).toMatchObject({ status: 409 });
});

testOnEveryKernel("a batch of CloudEvents, all or none", async (kernel) => {
  const events = Array.from({ length: 5 }, (_, n) => ({ ...full, id: `b-${n}`, data: { n } }));
  expect(await send(kernel, "/api/events/batch", events, batched)).toMatchObject({
    status: 201,
    body: { count: 5, first_seq: 1, last_seq: 5 },
  });
  const faulty = [
    { ...minimal, id: "x" },
    { ...minimal, data_base64: "AAAA" },
    { ...minimal, data: [1] },
    full,
  ];
  expect(await send(kernel, "/api/events/batch", faulty, batched)).toMatchObject({
    status: 422,
    body: { errors: [{ index: 1, code: "unsupported_media_type" }, { index: 2, code: "invalid_request" }] },
  });
  expect(await allEvents(kernel)).toHaveLength(5);
});

testOnEveryKernel(
  "extensions of ours become what they are, and reserved ones stay the agent's",
  async (kernel) => {
    const traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    await send(kernel, "/api/events", {
      ...minimal,
      correlationid: "together",
      causationid: "cause:1",
      traceparent,
      tracestate: "a=b",
      sequence: "99",
      authid: "somebody",
      origin: "/hub/elsewhere/api",
      nothing: null,
    }, structured);
    const [stored] = await allEvents(kernel);
    expect(stored).toMatchObject({
      seq: 1,
      correlation_id: "together",
      causation_id: "cause:1",
      traceparent,
      origin: { node_id: testNodeId, service: "api", user: expect.stringContaining("admin") },
    });
    expect(stored!.attributes).toEqual({ source: "/mycontext", tracestate: "a=b" });
  },
);

testOnEveryKernel("what was read as CloudEvent can be sent again: it is the same event", async (kernel) => {
  await send(kernel, "/api/events", { subject: "demo.made", payload: { n: 1 }, id: "own", project: "demo" });
  await send(kernel, "/api/events", full, structured);
  const otherOrder = Object.fromEntries(Object.entries(full).toReversed());
  expect(await send(kernel, "/api/events", otherOrder, structured)).toMatchObject({ status: 200 });
  for (const id of ["own", full.id]) {
    const event = await asCloudEvent(kernel, id);
    expect(await send(kernel, "/api/events", event, structured)).toMatchObject({
      status: 200,
      body: { duplicate: true },
    });
  }
});

testOnEveryKernel(
  "two sources with one id are a conflict that is told, not one event less",
  async (kernel) => {
    await send(kernel, "/api/events", minimal, structured);
    expect(await send(kernel, "/api/events", { ...minimal, source: "/other" }, structured)).toMatchObject({
      status: 409,
      body: { code: "id_conflict" },
    });
  },
);

testOnEveryKernel("what is no CloudEvent, or cannot be kept, is refused with the reason", async (kernel) => {
  const own = `/hub/${testNodeId}/api`;
  const table: [object, number, string][] = [
    [{ ...minimal, specversion: "0.3" }, 422, "invalid_request"],
    [{ ...minimal, specversion: undefined }, 422, "invalid_request"],
    [{ ...minimal, id: undefined }, 422, "invalid_request"],
    [{ ...minimal, id: "" }, 422, "invalid_request"],
    [{ ...minimal, id: 5 }, 422, "invalid_request"],
    [{ ...minimal, source: "" }, 422, "invalid_request"],
    [{ ...minimal, source: "/hub/other/api" }, 422, "foreign_source"],
    [{ ...minimal, source: `/hub/${testNodeId}/rss-ingest` }, 422, "foreign_source"],
    [{ ...minimal, type: "single" }, 422, "invalid_subject"],
    [{ ...minimal, type: "com.exa mple" }, 422, "invalid_subject"],
    [{ ...minimal, type: "" }, 422, "invalid_subject"],
    [{ ...minimal, subject: "mynewfile.jpg" }, 422, "invalid_request"],
    [{ ...minimal, time: "yesterday" }, 422, "invalid_request"],
    [{ ...minimal, time: "2018-04-05T17:31:00" }, 422, "invalid_request"],
    [{ ...minimal, time: "2018-02-30T17:31:00Z" }, 422, "invalid_request"],
    [{ ...minimal, time: "0000-01-01T00:00:00+01:00" }, 422, "invalid_request"],
    [{ ...minimal, time: "9999-12-31T23:59:59-01:00" }, 422, "invalid_request"],
    [{ ...minimal, traceparent: "00-0-0-00" }, 422, "invalid_request"],
    [{ ...minimal, data: "text" }, 422, "invalid_request"],
    [{ ...minimal, data: null }, 422, "invalid_request"],
    [{ ...minimal, datacontenttype: "text/xml" }, 415, "unsupported_media_type"],
    [{ ...minimal, data_base64: "AAAA" }, 415, "unsupported_media_type"],
    [{ ...minimal, Upper: "x" }, 422, "invalid_attribute"],
    [{ ...minimal, object: { a: 1 } }, 422, "invalid_attribute"],
    [{ ...minimal, fraction: 1.5 }, 422, "invalid_attribute"],
    [{ ...minimal, long: "x".repeat(5000) }, 422, "invalid_attribute"],
  ];
  for (const [event, status, code] of table) {
    const answer = await send(kernel, "/api/events", event, structured);
    expect({ event, status: answer.status, code: answer.body.code }).toEqual({ event, status, code });
  }
  const binary = { "ce-specversion": "1.0", "ce-id": "1", "ce-source": "/x", "ce-type": "a.b" };
  expect(await send(kernel, "/api/events", "<a/>", { ...binary, "content-type": "text/xml" })).toMatchObject({
    status: 415,
  });
  expect(await send(kernel, "/api/events", "[1]", binary)).toMatchObject({ status: 422 });
  expect(await send(kernel, "/api/events", "{", binary)).toMatchObject({ status: 400 });
  expect(await send(kernel, "/api/events", [minimal], batched)).toMatchObject({ status: 415 });
  expect(await allEvents(kernel)).toEqual([]);
  expect(await send(kernel, "/api/events", { ...minimal, source: own }, structured)).toMatchObject({
    status: 201,
  });
});

const attributeValues = fc.oneof(fc.string({ maxLength: 20 }), fc.integer(), fc.boolean());
const taken = new Set([
  ...Object.keys(full),
  "data_base64",
  "correlationid",
  "causationid",
  "traceparent",
  "origin",
  "authid",
  "sequence",
]);
const extensions = fc.dictionary(
  fc.stringMatching(/^[a-z0-9]{1,20}$/).filter((name) => !taken.has(name)),
  attributeValues,
  { maxKeys: 5 },
)
  .filter((value) => !/\\u(0000|d[89a-f])/i.test(JSON.stringify(value)));

testOnEveryKernel("whatever extensions an event has, it comes back with them", async (kernel) => {
  let n = 0;
  await fc.assert(
    fc.asyncProperty(extensions, async (added) => {
      const id = `p-${n++}`;
      expect((await send(kernel, "/api/events", { ...full, ...added, id }, structured)).status).toBe(201);
      const asText = Object.fromEntries(Object.entries(added).map(([name, value]) => [name, String(value)]));
      expect(await asCloudEvent(kernel, id)).toMatchObject(asText);
    }),
    { numRuns: 60 },
  );
});
