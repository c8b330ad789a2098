import { toHeaders } from "../../core/cloudevents.ts";
import type { EventRow } from "./tables.ts";

/** The `ce-` headers of a stored event, with its sequence. */
export function eventHeaders(row: EventRow): Record<string, string> {
  return toHeaders({
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
}
