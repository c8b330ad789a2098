import { expect } from "expect";
import fc from "fast-check";
import { fromMessage, toMessage } from "./cloudevents.ts";
import type { Envelope } from "./events.ts";

const envelopes: fc.Arbitrary<Envelope> = fc.record({
  id: fc.string({ minLength: 1 }),
  subject: fc.constant("hub.a.demo.made"),
  type: fc.constant("demo.made"),
  origin: fc.record({
    nodeId: fc.stringMatching(/^[A-Za-z0-9_-]{1,20}$/),
    service: fc.stringMatching(/^[a-z-]{1,20}$/),
    user: fc.option(fc.string({ unit: "grapheme" })),
  }),
  project: fc.option(fc.stringMatching(/^[a-z0-9-]{1,20}$/)),
  correlationId: fc.string({ minLength: 1, unit: "grapheme" }),
  causationId: fc.option(fc.string({ minLength: 1 })),
  traceparent: fc.option(fc.constant("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")),
  time: fc.constant("2026-01-01T00:00:00.000Z"),
  data: fc.dictionary(fc.string(), fc.jsonValue()).map((value) => JSON.parse(JSON.stringify(value))),
});

Deno.test("every envelope comes back from its message as it went in", () => {
  fc.assert(fc.property(envelopes, (envelope) => {
    const message = toMessage(envelope);
    expect(fromMessage({ subject: envelope.subject, ...message })).toEqual(envelope);
  }));
});

Deno.test("header values are printable ASCII, whatever is in them", () => {
  fc.assert(fc.property(envelopes, (envelope) => {
    for (const value of Object.values(toMessage(envelope).headers)) expect(value).toMatch(/^[\x21-\x7e]*$/);
  }));
});

Deno.test("a message that is no event is refused with the reason", () => {
  const good = {
    "ce-id": "1",
    "ce-type": "demo.made",
    "ce-source": "/hub/a/api",
    "ce-time": "2026-01-01T00:00:00.000Z",
  };
  const message = (headers: Record<string, string>, data = "{}") => ({
    subject: "hub.a.demo.made",
    headers,
    data: new TextEncoder().encode(data),
  });
  expect(fromMessage(message(good)).correlationId).toBe("1");
  expect(() => fromMessage(message({ ...good, "ce-source": "elsewhere" }))).toThrow("ce-source");
  const { "ce-type": _, ...untyped } = good;
  expect(() => fromMessage(message(untyped))).toThrow('header "ce-type" is missing');
  expect(() => fromMessage(message(good, "{"))).toThrow();
});
