import { z } from "@hono/zod-openapi";
import { invalidRequest } from "../../../core/http/problem.ts";
import type { AuthoredEvent } from "./authored_event.ts";
import { placeSubject } from "./place_subject.ts";

/** Text that an author may choose as the id of something. */
export const identifier = (what: string): z.ZodString =>
  z.string().regex(
    /^[A-Za-z0-9._:@/+=-]{1,128}$/,
    `expected 1 to 128 letters, digits or ._:@/+=- as ${what}`,
  );

/** Slug of a project. */
export const projectSlug: z.ZodString = z.string().regex(
  /^[a-z0-9-]{1,50}$/,
  "expected a slug of a-z, 0-9 and -",
);

/** A JSON object as it came: a zod record would be a copy without a member named `__proto__`. */
export const jsonObject: z.ZodCustom<Record<string, unknown>> = z.custom<Record<string, unknown>>(
  (value) => typeof value === "object" && value !== null && !Array.isArray(value),
  "expected a JSON object",
).openapi({
  type: "object",
  additionalProperties: {},
  description: "Any JSON object",
  example: { answer: 42 },
});

/** What `POST /api/events` takes as JSON. */
export const publishBody = z.strictObject({
  subject: z.string().min(1).openapi({
    description:
      "`demo.created` is placed under `hub.<node_id>.`; `hub.global.…` is about the whole federation",
    example: "demo.created",
  }),
  payload: jsonObject,
  correlation_id: identifier("correlation_id").optional().openapi({
    description: "Default: that of the request (`X-Correlation-ID`), else a new one",
  }),
  causation_id: identifier("causation_id").optional().openapi({
    description: "Id of the event that caused this one",
  }),
  id: identifier("id").optional().openapi({
    description: "Your own id: the same event sent again is stored once",
  }),
  project: projectSlug.optional().openapi({ description: "Slug of the project it is about" }),
  expected_seq: z.int().min(0).optional().openapi({
    description:
      "Last sequence on this subject (0 = none yet); anything else stored meanwhile makes it a 409",
  }),
}).openapi("PublishEvent");

/** Reads the API's own form of an event. Throws Problem 422. */
export function readPublishBody(value: unknown, nodeId: string): AuthoredEvent {
  const result = publishBody.safeParse(value);
  if (!result.success) throw invalidRequest(result.error, "json");
  const body = result.data;
  const { subject, type } = placeSubject(body.subject, nodeId);
  return {
    subject,
    type,
    payload: body.payload,
    id: body.id,
    project: body.project ?? null,
    correlationId: body.correlation_id,
    causationId: body.causation_id,
    expectedSeq: body.expected_seq,
  };
}
