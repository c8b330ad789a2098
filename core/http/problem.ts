import { HTTPException } from "hono/http-exception";
import { STATUS_CODES } from "node:http";
import type { z } from "zod";
import { Problem } from "../errors.ts";

/** One fault of a request: where (`body.name`, `query.limit`) and what. */
export interface FieldError {
  readonly path: string;
  readonly message: string;
}

/** Faults named in one answer; a body can hold thousands. */
const maxFieldErrors = 20;
const maxTextLength = 300;

/** What a failed validation becomes: 422 `invalid_request` with the faults, bounded. `part` is zod-openapi's target. */
export function invalidRequest(error: z.core.$ZodError, part: string): Problem {
  const root = part === "json" || part === "form" ? "body" : part === "param" ? "path" : part;
  const errors: FieldError[] = error.issues.slice(0, maxFieldErrors).map((issue) => ({
    path: bounded([root, ...issue.path.map(String)].join(".")),
    message: bounded(issue.message),
  }));
  const first = errors[0];
  return new Problem(422, "invalid_request", {
    detail: first ? `${first.path}: ${first.message}` : "The request is not valid",
    extras: { errors },
  });
}

/** Turns whatever a request handler threw into a problem; anything unexpected becomes a 500 that tells nothing. */
export function problemOf(error: unknown): Problem {
  if (error instanceof Problem) return error;
  if (error instanceof HTTPException) return fromHono(error);
  return new Problem(500, "internal_error", {
    detail: "Something went wrong in the agent; its log has the cause under this correlation id",
    cause: error,
  });
}

/** The `application/problem+json` answer (RFC 9457), with the headers that its status asks for. */
export function problemResponse(problem: Problem, correlationId: string): Response {
  const { status, extras } = problem;
  const headers: Record<string, string> = { "content-type": "application/problem+json" };
  if (status === 401) headers["www-authenticate"] = 'Bearer realm="commandcenter"';
  if (typeof extras.retry_after === "number") headers["retry-after"] = String(extras.retry_after);
  if (Array.isArray(extras.allow)) headers.allow = extras.allow.join(", ");
  if (status === 426) headers.upgrade = "websocket";
  return new Response(JSON.stringify(problemBody(problem, correlationId)), { status, headers });
}

/** The members of an RFC 9457 problem, for answers and for the last frame of a stream. */
export function problemBody(problem: Problem, correlationId: string): Readonly<Record<string, unknown>> {
  const { status, code, message: detail, extras } = problem;
  return {
    ...extras,
    type: "about:blank",
    title: STATUS_CODES[status] ?? "Error",
    status,
    code,
    detail,
    correlation_id: correlationId,
  };
}

function fromHono(error: HTTPException): Problem {
  if (error.status === 415) {
    return new Problem(415, "unsupported_media_type", {
      detail: "The body has a content type that this route does not take; see /openapi.json",
      cause: error,
    });
  }
  if (error.status === 400) {
    return new Problem(400, "malformed_body", { detail: bounded(error.message), cause: error });
  }
  const code = (STATUS_CODES[error.status] ?? "error").toLowerCase().replaceAll(/[^a-z]+/g, "_");
  return new Problem(error.status, code, { detail: bounded(error.message), cause: error });
}

function bounded(text: string): string {
  return text.length <= maxTextLength ? text : `${text.slice(0, maxTextLength)}…`;
}
