import { z } from "@hono/zod-openapi";
import { isPattern } from "../../../core/bus/subject.ts";
import type { Principal } from "../../../core/http/principal.ts";
import type { EventFilter } from "./event_filter.ts";
import { parseTimeExpression } from "./time_expression.ts";

const pattern = (what: string, example: string) =>
  z.string().refine(isPattern, { message: `expected a ${what} or a pattern such as ${example}` });

const time = z.string().transform((text, context) => {
  const parsed = parseTimeExpression(text, Date.now());
  if (parsed !== undefined) return parsed;
  context.addIssue({ code: "custom", message: "expected RFC 3339 (2026-01-31T12:00:00Z) or 15m, 2h, 7d" });
  return z.NEVER;
});

/** Characters of an id; those of events from elsewhere may be longer than those that we let an author choose. */
export const maxIdLength = 256;

/** Query parameters by which events are chosen, the same for lists and live streams. */
export const filterQuery = z.strictObject({
  subject: pattern("subject", "hub.*.project.>").optional().openapi({
    description:
      "Subject or pattern: `*` is one token, `>` at the end the rest. Without `hub.` it means any node",
    example: "hub.*.demo.>",
  }),
  type: pattern("type", "project.*").optional().openapi({
    description: "Type or pattern",
    example: "demo.created",
  }),
  since: time.optional().openapi({
    type: "string",
    description: "RFC 3339, or a span back from now",
    example: "2h",
  }),
  until: time.optional().openapi({ type: "string", description: "RFC 3339, or a span back from now" }),
  id: z.string().min(1).max(maxIdLength).optional().openapi({
    description: "Id of the event; several nodes may have one of that id",
  }),
  correlation_id: z.string().max(128).optional(),
  project: z.string().max(50).optional().openapi({ description: "Slug of the project" }),
  origin: z.string().max(100).optional().openapi({ description: "Id of the node that published" }),
  after_seq: z.coerce.number().pipe(z.int().min(0)).optional().openapi({
    type: "integer",
    description: "Only events behind this sequence",
  }),
});

/** What was asked for, narrowed to what the key may see. */
export function toFilter(query: z.output<typeof filterQuery>, principal: Principal | undefined): EventFilter {
  return {
    subject: query.subject === undefined ? undefined : anywhere(query.subject),
    type: query.type,
    since: query.since,
    until: query.until,
    id: query.id,
    correlationId: query.correlation_id,
    project: query.project,
    origin: query.origin,
    projects: principal?.projects ?? undefined,
  };
}

/** A subject or pattern without `hub.` means that of any node. */
export function anywhere(subject: string): string {
  return /^(hub(\.|$)|[*>])/.test(subject) ? subject : `hub.*.${subject}`;
}
