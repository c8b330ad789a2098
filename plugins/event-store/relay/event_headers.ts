import { z } from "zod";
import { decodeHeader, encodeHeader, toHeaders } from "../../../core/cloudevents.ts";
import type { EventRow } from "../tables.ts";

/** Carries the attributes without a column as they are stored, types and order included; each is a `ce-` header too. */
const attributesHeader = "event-attributes";
const maxAttributesLength = 64 * 1024;
/** Headers that the agent alone writes, whatever an attribute of that name says. */
const ours = new Set([
  "specversion",
  "id",
  "source",
  "type",
  "time",
  "subject",
  "correlationid",
  "causationid",
  "authid",
  "traceparent",
  "sequence",
]);

const attributes = z.record(
  z.string().regex(/^[a-z0-9]{1,64}$/),
  z.union([z.string(), z.number(), z.boolean()]),
);

/** The `ce-` headers of a stored event, with its sequence. */
export function eventHeaders(row: EventRow): Record<string, string> {
  const headers = toHeaders({
    id: row.id,
    seq: row.seq,
    subject: row.subject,
    type: row.type,
    origin: { nodeId: row.node_id, service: row.service, user: row.user_name },
    project: row.project,
    correlationId: row.correlation_id,
    causationId: row.causation_id,
    traceparent: row.traceparent,
    time: row.time,
  });
  return row.attributes === null ? headers : { ...headers, ...attributeHeaders(row.attributes) };
}

function attributeHeaders(text: string): Record<string, string> {
  const headers: Record<string, string> = { [attributesHeader]: encodeHeader(text) };
  for (const [name, value] of Object.entries(JSON.parse(text))) {
    if (!ours.has(name)) headers[`ce-${name}`] = encodeHeader(String(value));
  }
  return headers;
}

/** The attributes of a received event as they are stored. Throws where they are none. */
export function attributesOf(headers: Readonly<Record<string, string>>): string | null {
  const header = headers[attributesHeader];
  if (header === undefined) return null;
  const text = decodeHeader(header);
  if (text.length > maxAttributesLength || !attributes.safeParse(JSON.parse(text)).success) {
    throw new Error(`Cannot read the event: header "${attributesHeader}" holds no attributes of CloudEvents`);
  }
  return text;
}
