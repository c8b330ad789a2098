import type { BusMessage } from "./bus/bus.ts";
import type { Envelope, Origin } from "./events.ts";

const encoder = new TextEncoder();
const decoder = new TextDecoder("utf-8", { fatal: true });

/** The parts of an envelope that a message needs; `data` may be JSON text already, as it was stored. */
export type Outgoing = Omit<Envelope, "data"> & { readonly seq?: number };

/**
 * Attributes that the agent sets, whatever an author says: `origin` is the agent's own `source` where the event has
 * that of its author, `authid` the name of the key, `sequence` the place in the log.
 */
export const reservedAttributes: ReadonlySet<string> = new Set(["origin", "authid", "sequence"]);

/** Whether an attribute of CloudEvents may have that name. */
export function isAttributeName(name: string): boolean {
  return /^[a-z0-9]{1,20}$/.test(name);
}

/** An event as a CloudEvents 1.0 message in binary mode: attributes as `ce-` headers, the data alone as body. */
export function toMessage(
  envelope: Envelope,
): { headers: Record<string, string>; data: Uint8Array } {
  return { headers: toHeaders(envelope), data: encoder.encode(JSON.stringify(envelope.data)) };
}

/** The `ce-` headers of an event. `subject` of CloudEvents is our project; the bus subject travels as the subject of the message. */
export function toHeaders(envelope: Outgoing): Record<string, string> {
  const headers: Record<string, string> = {
    "ce-specversion": "1.0",
    "ce-id": encodeHeader(envelope.id),
    "ce-source": sourceOf(envelope.origin),
    "ce-type": envelope.type,
    "ce-time": envelope.time,
    "ce-correlationid": encodeHeader(envelope.correlationId),
    "content-type": "application/json",
  };
  if (envelope.project !== null) headers["ce-subject"] = envelope.project;
  if (envelope.causationId !== null) headers["ce-causationid"] = encodeHeader(envelope.causationId);
  if (envelope.origin.user !== null) headers["ce-authid"] = encodeHeader(envelope.origin.user);
  if (envelope.traceparent !== null) headers["ce-traceparent"] = envelope.traceparent;
  if (envelope.seq !== undefined) headers["ce-sequence"] = String(envelope.seq);
  return headers;
}

/**
 * An event in the JSON format of CloudEvents. `data` is its payload, `attributes` what its author added, both as JSON
 * text; where that names a `source`, ours becomes `origin`.
 */
export function toStructured(
  envelope: Outgoing,
  { data, attributes }: { data: string; attributes: string | null },
): string {
  const { origin, project, causationId, traceparent, seq } = envelope;
  const ours = sourceOf(origin);
  const { source, ...added }: Record<string, unknown> = attributes === null ? {} : JSON.parse(attributes);
  const text = JSON.stringify({
    ...added,
    specversion: "1.0",
    id: envelope.id,
    source: source ?? ours,
    type: envelope.type,
    time: envelope.time,
    datacontenttype: "application/json",
    subject: project ?? undefined,
    correlationid: envelope.correlationId,
    causationid: causationId ?? undefined,
    traceparent: traceparent ?? undefined,
    authid: origin.user ?? undefined,
    origin: source === undefined ? undefined : ours,
    sequence: seq === undefined ? undefined : String(seq),
    data: undefined,
  });
  return `${text.slice(0, -1)},"data":${data}}`;
}

/** The envelope of a received message. Throws where an attribute is missing or the body is no JSON. */
export function fromMessage(message: BusMessage): Envelope {
  const { headers, subject } = message;
  return {
    id: decodeHeader(required(headers, "ce-id")),
    subject,
    type: required(headers, "ce-type"),
    origin: originOf(required(headers, "ce-source"), headers["ce-authid"]),
    project: headers["ce-subject"] ?? null,
    correlationId: decodeHeader(headers["ce-correlationid"] ?? required(headers, "ce-id")),
    causationId: headers["ce-causationid"] === undefined ? null : decodeHeader(headers["ce-causationid"]),
    traceparent: headers["ce-traceparent"] ?? null,
    time: required(headers, "ce-time"),
    data: JSON.parse(decoder.decode(message.data)),
  };
}

/** What the bus tells an event by when it comes again: ids are unique among the events of one node only. */
export function messageIdOf(nodeId: string, id: string): string {
  return `${nodeId}:${id}`;
}

/** CloudEvents `source` of an origin: `/hub/<node_id>/<service>`. */
export function sourceOf(origin: Origin): string {
  return `/hub/${origin.nodeId}/${origin.service}`;
}

function originOf(source: string, user: string | undefined): Origin {
  const match = /^\/hub\/([A-Za-z0-9_-]+)\/([A-Za-z0-9_.-]+)$/.exec(source);
  if (!match) throw new Error(`Cannot read the event: ce-source "${source}" is not /hub/<node_id>/<service>`);
  return { nodeId: match[1]!, service: match[2]!, user: user === undefined ? null : decodeHeader(user) };
}

function required(headers: Readonly<Record<string, string>>, name: string): string {
  const value = headers[name];
  if (value === undefined) throw new Error(`Cannot read the event: header "${name}" is missing`);
  return value;
}

/** CloudEvents percent-encodes what a header cannot carry: controls, space, quote, percent and all that is not ASCII. */
export function encodeHeader(text: string): string {
  return text.replaceAll(
    /[^\x21\x23\x24\x26-\x7e]/gu,
    (character) =>
      [...encoder.encode(character)].map((byte) => `%${byte.toString(16).toUpperCase().padStart(2, "0")}`)
        .join(""),
  );
}

/** The text of a header, percent-encoded or not. */
export function decodeHeader(text: string): string {
  if (!text.includes("%")) return text;
  try {
    return decodeURIComponent(text);
  } catch {
    return text; // not encoded by the rules: taken as it stands
  }
}
