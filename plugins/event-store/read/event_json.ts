import { z } from "@hono/zod-openapi";
import type { EventRow } from "../tables.ts";

/** An event as the API shows it. */
export const eventItem = z.object({
  id: z.string().describe("UUIDv7, or the id its author gave it"),
  seq: z.int().describe("Position in this log: 1, 2, 3 …"),
  subject: z.string().describe("`hub.<node_id>.<type>` or `hub.global.<type>`"),
  type: z.string(),
  origin: z.object({
    node_id: z.string(),
    service: z.string().describe("The plugin that published it, or `api`"),
    user: z.string().nullable().describe("Name of the key that was used"),
  }).describe("Set by the agent, never by the author"),
  project: z.string().nullable(),
  correlation_id: z.string(),
  causation_id: z.string().nullable(),
  timestamp: z.string().describe("RFC 3339, UTC"),
  traceparent: z.string().optional().describe("W3C trace context of the call that published it"),
  attributes: z.record(z.string(), z.union([z.string(), z.number(), z.boolean()])).optional()
    .describe("CloudEvents attributes that its author added: `source`, `dataschema`, extensions"),
  payload: z.record(z.string(), z.unknown()),
}).openapi("Event");

/** The JSON text of an event. The stored payload is JSON already and goes in as it is: parsing it again would be waste. */
export function eventJson(row: EventRow): string {
  const head = JSON.stringify({
    id: row.id,
    seq: row.seq,
    subject: row.subject,
    type: row.type,
    origin: { node_id: row.node_id, service: row.service, user: row.user_name },
    project: row.project,
    correlation_id: row.correlation_id,
    causation_id: row.causation_id,
    timestamp: row.time,
  });
  const traceparent = row.traceparent === null ? "" : `,"traceparent":${JSON.stringify(row.traceparent)}`;
  const attributes = row.attributes === null ? "" : `,"attributes":${row.attributes}`;
  return `${head.slice(0, -1)}${traceparent}${attributes},"payload":${row.payload}}`;
}
