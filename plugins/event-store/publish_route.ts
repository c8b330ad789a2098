import { createRoute, type OpenAPIHono, z } from "@hono/zod-openapi";
import { newId, timestamp } from "../../core/clock.ts";
import { currentContext } from "../../core/context.ts";
import { Problem } from "../../core/errors.ts";
import type { Envelope } from "../../core/events.ts";
import type { HttpEnv } from "../../core/http/env.ts";
import { seesProject } from "../../core/http/principal.ts";
import type { Host } from "../../core/plugin.ts";
import { inSpan } from "../../core/trace.ts";
import type { Landed } from "./draft.ts";
import type { EventLog } from "./event_log.ts";
import { placeSubject } from "./place_subject.ts";

const identifier = (what: string) =>
  z.string().regex(
    /^[A-Za-z0-9._:@/+=-]{1,128}$/,
    `expected 1 to 128 letters, digits or ._:@/+=- as ${what}`,
  );

/** As it came: a zod record would be a copy without a member named `__proto__`. */
function isObject(value: unknown): boolean {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

const publishBody = z.strictObject({
  subject: z.string().min(1).openapi({
    description:
      "`demo.created` is placed under `hub.<node_id>.`; `hub.global.…` is about the whole federation",
    example: "demo.created",
  }),
  payload: z.custom<Record<string, unknown>>(isObject, "expected a JSON object").openapi({
    type: "object",
    additionalProperties: {},
    description: "Any JSON object",
    example: { answer: 42 },
  }),
  correlation_id: identifier("correlation_id").optional().openapi({
    description: "Default: that of the request (`X-Correlation-ID`), else a new one",
  }),
  causation_id: identifier("causation_id").optional().openapi({
    description: "Id of the event that caused this one",
  }),
  id: identifier("id").optional().openapi({
    description: "Your own id: the same event sent again is stored once",
  }),
  project: z.string().regex(/^[a-z0-9-]{1,50}$/, "expected a slug of a-z, 0-9 and -").optional()
    .openapi({ description: "Slug of the project it is about" }),
  expected_seq: z.int().min(0).optional().openapi({
    description:
      "Last sequence on this subject (0 = none yet); anything else stored meanwhile makes it a 409",
  }),
}).openapi("PublishEvent");

const publishAnswer = z.object({
  event_id: z.string(),
  seq: z.int().describe("Position in the log"),
  subject: z.string(),
  correlation_id: z.string(),
  timestamp: z.string(),
  duplicate: z.literal(true).optional().describe("The event had been stored before; this is where"),
}).openapi("PublishedEvent");

const answer = (description: string) => ({
  description,
  content: { "application/json": { schema: publishAnswer } },
});

const publishRoute = createRoute({
  method: "post",
  path: "/api/events",
  summary: "Publish an event; answered when it is on disk",
  security: [{ key: ["write"] }],
  request: { body: { required: true, content: { "application/json": { schema: publishBody } } } },
  responses: {
    200: answer("The same event was stored before"),
    201: answer("Stored"),
    409: { description: "Another event has this id, or the subject is not at expected_seq" },
    413: { description: "The payload is too large" },
    422: { description: "The body or the subject is not valid" },
    503: { description: "The storage is not available; try again with the same id" },
  },
});

/** `POST /api/events`. */
export function addPublishRoute(
  http: OpenAPIHono<HttpEnv>,
  { log, host }: { log: EventLog; host: Host },
): void {
  http.openapi(publishRoute, async (c) => {
    const body = c.req.valid("json");
    const principal = c.env.principal;
    const project = body.project ?? null;
    if (!seesProject(principal, project)) throw outsideOfKey(project);
    const { subject, type } = placeSubject(body.subject, host.node.id);
    const accept = () => {
      const envelope: Envelope = {
        id: body.id ?? newId(),
        subject,
        type,
        origin: { nodeId: host.node.id, service: "api", user: principal?.name ?? null },
        project,
        correlationId: body.correlation_id ?? c.env.correlationId,
        causationId: body.causation_id ?? null,
        traceparent: currentContext()?.traceparent ?? null,
        time: timestamp(host.clock),
        data: body.payload,
      };
      return log.accept(envelope, {
        idGiven: body.id !== undefined,
        correlationGiven: body.correlation_id !== undefined,
        expectedSeq: body.expected_seq,
      });
    };
    const call = currentContext()!; // every request has one
    const landed = await inSpan(`publish ${type}`, { call, kind: "producer" }, accept)
      .catch((error) => Promise.reject(principal?.projects ? withoutForeign(error) : error));
    return landed.duplicate
      ? c.json({ ...toAnswer(landed), duplicate: true as const }, 200)
      : c.json(toAnswer(landed), 201);
  });
}

function toAnswer(landed: Landed) {
  return {
    event_id: landed.id,
    seq: landed.seq,
    subject: landed.subject,
    correlation_id: landed.correlationId,
    timestamp: landed.time,
  };
}

/** Where the subject stands may be due to another project's events. */
function withoutForeign(error: unknown): unknown {
  if (!(error instanceof Problem) || error.code !== "sequence_conflict") return error;
  return new Problem(409, "sequence_conflict", {
    detail: "The subject is not at expected_seq; read it again",
  });
}

function outsideOfKey(project: string | null): Problem {
  return new Problem(403, "project_forbidden", {
    detail: project === null
      ? "This key is limited to projects: say which one with `project`"
      : `This key may not publish for the project "${project}"`,
  });
}
