import { expect } from "expect";
import fc from "fast-check";
import { eventHeaders } from "../relay/event_headers.ts";
import type { EventRow } from "../tables.ts";
import { readMessage } from "./read_message.ts";

const token = fc.stringMatching(/^[A-Za-z0-9_-]{1,12}$/);
const name = fc.string({ unit: "binary", minLength: 1, maxLength: 60 }).filter((text) =>
  !/\p{Cc}/u.test(text) && text.isWellFormed()
);
const orNull = <Value>(value: fc.Arbitrary<Value>) => fc.option(value, { nil: null });
const attributes = fc.dictionary(
  fc.stringMatching(/^[a-z0-9]{1,12}$/),
  fc.oneof(fc.string({ unit: "binary" }), fc.integer(), fc.boolean()),
  { minKeys: 1 },
);

const row = fc.record({
  seq: fc.integer({ min: 1 }),
  id: name,
  node_id: token,
  type: fc.array(token, { minLength: 2, maxLength: 4 }).map((tokens) => tokens.join(".")),
  global: fc.boolean(),
  service: token,
  user_name: orNull(name),
  project: orNull(fc.stringMatching(/^[a-z0-9-]{1,50}$/)),
  correlation_id: name,
  causation_id: orNull(name),
  traceparent: orNull(fc.stringMatching(/^00-[0-9a-f]{32}-[0-9a-f]{16}-0[01]$/)),
  time: fc.date({ min: new Date(0), max: new Date("9999-12-31"), noInvalidDate: true }).map((date) =>
    date.toISOString()
  ),
  attributes: orNull(attributes.map((value) => JSON.stringify(value))),
  payload: fc.jsonValue().map((value) => JSON.stringify(value)),
}).map(({ global, ...rest }): EventRow => ({
  ...rest,
  subject: `hub.${global ? "global" : rest.node_id}.${rest.type}`,
  stored_ms: 1,
  arrival: "published",
  checksum: 0,
  hash: "",
}));

Deno.test("an event that is relayed and read again is the same event", () => {
  fc.assert(fc.property(row, (event) => {
    const message = {
      subject: event.subject,
      data: new TextEncoder().encode(event.payload),
      headers: eventHeaders(event),
    };
    const { envelope, ...draft } = readMessage(message, { maxPayloadBytes: 1e6 });
    expect(draft).toEqual({
      payload: event.payload,
      idGiven: true,
      correlationGiven: false,
      arrival: "collected",
      attributes: event.attributes,
    });
    expect(envelope).toEqual({
      id: event.id,
      subject: event.subject,
      type: event.type,
      origin: { nodeId: event.node_id, service: event.service, user: event.user_name },
      project: event.project,
      correlationId: event.correlation_id,
      causationId: event.causation_id,
      traceparent: event.traceparent,
      time: event.time,
      data: JSON.parse(event.payload),
    });
  }));
});

Deno.test("a message whose type is not what its subject ends with is refused", () => {
  const [event] = fc.sample(row, { numRuns: 1, seed: 1 });
  const message = {
    subject: `${event!.subject}.more`,
    data: new TextEncoder().encode(event!.payload),
    headers: eventHeaders(event!),
  };
  expect(() => readMessage(message, { maxPayloadBytes: 1e6 })).toThrow("its ce-type is not what its subject");
});
