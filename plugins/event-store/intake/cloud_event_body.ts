import { z } from "@hono/zod-openapi";
import { decodeHeader, isAttributeName, reservedAttributes, sourceOf } from "../../../core/cloudevents.ts";
import { Problem } from "../../../core/errors.ts";
import { traceparentOf } from "../../../core/http/correlation.ts";
import { invalidRequest } from "../../../core/http/problem.ts";
import type { AuthoredEvent } from "./authored_event.ts";
import { placeSubject } from "./place_subject.ts";
import { identifier, jsonObject, projectSlug } from "./publish_body.ts";

/** Characters of all attributes together that have no column: they travel as headers of a NATS message. */
export const maxAttributesLength = 4096;

const noTime = "expected RFC 3339, such as 2026-01-31T12:00:00Z";

/** Time of an event as it comes in; in UTC it has a year of four digits as well, or no text of it could be compared. */
export const eventTime: z.ZodISODateTime = z.iso.datetime({ offset: true, error: noTime }).refine((text) => {
  const year = new Date(text).getUTCFullYear();
  return year >= 0 && year <= 9999;
}, noTime);

/** A CloudEvent 1.0 in the JSON format; a member beyond these is an extension. */
export const cloudEventBody = z.looseObject({
  specversion: z.literal("1.0"),
  id: identifier("id").openapi({ description: "The same event sent again is stored once" }),
  source: z.string().min(1).max(1024).openapi({
    description: "URI reference, kept as it is; `/hub/…` names agents, and is refused",
    example: "/shop/checkout",
  }),
  type: z.string().openapi({
    description: "Becomes the subject `hub.<node_id>.<type>`: two tokens at least",
    example: "order.placed",
  }),
  subject: projectSlug.nullish().openapi({ description: "Slug of the project it is about" }),
  time: eventTime.nullish().openapi({ description: "Default: now. Kept to the millisecond" }),
  datacontenttype: z.string().nullish().openapi({ description: "`application/json`, where it is given" }),
  dataschema: z.string().min(1).max(1024).nullish(),
  data: jsonObject.optional(),
  correlationid: identifier("correlationid").nullish(),
  causationid: identifier("causationid").nullish(),
  traceparent: z.string().refine((text) => traceparentOf(text) !== undefined, "expected a W3C traceparent")
    .nullish(),
}).openapi("CloudEvent");

/** Reads a CloudEvent. Throws Problem 415 for data that is no JSON, 422 for what is not valid. */
export function readCloudEvent(value: unknown, nodeId: string): AuthoredEvent {
  const result = cloudEventBody.safeParse(value);
  if (!result.success) throw invalidRequest(result.error, "json");
  const event = result.data;
  if (event.data_base64 !== undefined) throw notJson("`data_base64`");
  if (!/^application\/json\s*(;|$)/i.test(event.datacontenttype ?? "application/json")) {
    throw notJson(`the datacontenttype "${event.datacontenttype!.slice(0, 100)}"`);
  }
  const { subject, type } = placeSubject(`hub.${nodeId}.${event.type}`, nodeId);
  return {
    subject,
    type,
    payload: event.data ?? {},
    id: event.id,
    project: event.subject ?? null,
    correlationId: event.correlationid ?? undefined,
    causationId: event.causationid ?? undefined,
    traceparent: event.traceparent ?? undefined,
    time: event.time ? new Date(event.time).toISOString() : undefined,
    attributes: attributesOf(event, nodeId),
  };
}

/** Reads a CloudEvent in binary mode: attributes in `ce-` headers, the data as body. Throws as `readCloudEvent`. */
export function readBinaryCloudEvent(
  headers: Headers,
  { data, nodeId }: { data: unknown; nodeId: string },
): AuthoredEvent {
  const attributes: Record<string, unknown> = {};
  for (const [name, value] of headers) {
    if (name.startsWith("ce-")) attributes[name.slice(3)] = decodeHeader(value);
  }
  return readCloudEvent({ ...attributes, data }, nodeId);
}

/**
 * The attributes without a column, by name in order, so that the same ones always are the same text. Values become
 * text, which is the one form that CloudEvents has for them on every transport.
 */
function attributesOf(event: z.output<typeof cloudEventBody>, nodeId: string): string | null {
  const kept: Record<string, string> = {};
  const own = sourceOf({ nodeId, service: "api", user: null });
  if (event.source !== own) {
    if (/^\/hub\//.test(event.source)) throw foreignSource(event.source, own);
    kept.source = event.source;
  }
  if (event.dataschema) kept.dataschema = event.dataschema;
  for (const [name, value] of Object.entries(event)) {
    if (Object.hasOwn(cloudEventBody.shape, name) || reservedAttributes.has(name) || value === null) continue;
    if (!isAttributeName(name)) {
      throw invalid(`"${name.slice(0, 100)}" is no name of an attribute: a-z and 0-9, 20 at the most`);
    }
    if (typeof value !== "string" && typeof value !== "boolean" && !Number.isInteger(value)) {
      throw invalid(`The attribute "${name}" is no text, whole number or boolean`);
    }
    kept[name] = String(value);
  }
  const names = Object.keys(kept).toSorted();
  if (names.length === 0) return null;
  const text = JSON.stringify(Object.fromEntries(names.map((name) => [name, kept[name]])));
  if (text.length <= maxAttributesLength) return text;
  throw invalid(`The attributes have ${text.length} characters, allowed are ${maxAttributesLength}`);
}

function notJson(what: string): Problem {
  return new Problem(415, "unsupported_media_type", {
    detail:
      `Cannot store ${what}: an event's data is a JSON object, with the datacontenttype application/json`,
  });
}

function invalid(detail: string): Problem {
  return new Problem(422, "invalid_attribute", { detail });
}

function foreignSource(source: string, own: string): Problem {
  return new Problem(422, "foreign_source", {
    detail: `"${
      source.slice(0, 200)
    }" speaks in the name of an agent; name your own source, or this one: ${own}`,
  });
}
