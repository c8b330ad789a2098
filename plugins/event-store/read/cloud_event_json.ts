import { type Outgoing, toStructured } from "../../../core/cloudevents.ts";
import type { EventRow } from "../tables.ts";

/** The JSON text of an event as a CloudEvent. */
export function cloudEventJson(row: EventRow): string {
  const envelope: Outgoing = {
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
  };
  return toStructured(envelope, { data: row.payload, attributes: row.attributes });
}
