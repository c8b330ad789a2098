import { z } from "@hono/zod-openapi";
import { isSubject, maxSubjectLength } from "../../../core/bus/subject.ts";
import { Problem } from "../../../core/errors.ts";
import { invalidRequest } from "../../../core/http/problem.ts";
import type { Draft } from "../log/draft.ts";
import type { EventLog } from "../log/event_log.ts";
import { maxIdLength } from "../search/filter_query.ts";
import { eventTime, maxAttributesLength } from "./cloud_event_body.ts";
import { withFinitePayload } from "./finite_payload.ts";

/** What the log of another agent holds is taken as it is; only its size is bounded. */
const text = (maxLength: number) => z.string().min(1).max(maxLength);

const attributes = z.record(
  z.string().regex(/^[a-z0-9]{1,64}$/, "expected a-z and 0-9 as the name of an attribute"),
  z.union([z.string(), z.number(), z.boolean()]),
);

/** An event as `GET /api/events` shows it, and `events export` writes it. */
export const importBody = z.strictObject({
  id: text(maxIdLength),
  seq: z.int().optional().openapi({ description: "Not kept: the event gets the next place in this log" }),
  subject: text(maxSubjectLength),
  type: text(maxSubjectLength),
  origin: z.strictObject({
    node_id: z.string().regex(/^[A-Za-z0-9_-]{1,64}$/, "expected the id of a node"),
    service: text(100),
    user: text(200).nullable(),
  }),
  project: text(100).nullable(),
  correlation_id: text(maxIdLength),
  causation_id: text(maxIdLength).nullable(),
  timestamp: eventTime,
  traceparent: text(200).optional(),
  attributes: attributes.optional(),
  // A plugin may publish whatever JSON its event has as data.
  payload: z.unknown().refine((value) => value !== undefined, "expected a JSON value").openapi({
    description: "As it was stored: an object, or whatever else a plugin published",
  }),
}).openapi("ImportEvent");

/** Drafts an event of another log, or of an earlier life of this one. Throws Problem 413 or 422. */
export function draftImported(value: unknown, log: EventLog): Draft {
  const result = importBody.safeParse(value);
  if (!result.success) throw invalidRequest(result.error, "json");
  const { origin, ...event } = result.data;
  checkSubject(result.data);
  const attributesText = event.attributes === undefined ? null : JSON.stringify(event.attributes);
  if (attributesText !== null && attributesText.length > maxAttributesLength) {
    throw invalid(`The attributes have more than ${maxAttributesLength} characters`);
  }
  return withFinitePayload(log.draft({
    id: event.id,
    subject: event.subject,
    type: event.type,
    origin: { nodeId: origin.node_id, service: origin.service, user: origin.user },
    project: event.project,
    correlationId: event.correlation_id,
    causationId: event.causation_id,
    traceparent: event.traceparent ?? null,
    time: new Date(event.timestamp).toISOString(),
    data: event.payload,
  }, { idGiven: true, correlationGiven: true, arrival: "imported", attributes: attributesText }));
}

/** A subject says whose event it is, and of what type. */
function checkSubject({ subject, type, origin }: z.output<typeof importBody>): void {
  const fits = (node: string) => subject === `hub.${node}.${type}`;
  if (!isSubject(subject) || !type.includes(".") || !(fits(origin.node_id) || fits("global"))) {
    throw invalid(
      `The subject "${subject}" does not fit the rest: an event of this node and type has hub.${origin.node_id}.${type} ` +
        "or the same under hub.global., and a type two tokens at least",
    );
  }
}

function invalid(detail: string): Problem {
  return new Problem(422, "invalid_request", { detail });
}
