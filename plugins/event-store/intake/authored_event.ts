import { newId } from "../../../core/clock.ts";
import { Problem } from "../../../core/errors.ts";
import { type Principal, seesProject } from "../../../core/http/principal.ts";
import type { Draft } from "../log/draft.ts";
import type { EventLog } from "../log/event_log.ts";
import { withFinitePayload } from "./finite_payload.ts";

/** An event as its author gave it, in whichever form it came. */
export interface AuthoredEvent {
  /** In full. */
  readonly subject: string;
  readonly type: string;
  readonly payload: object;
  readonly id: string | undefined;
  readonly project: string | null;
  readonly correlationId: string | undefined;
  readonly causationId: string | undefined;
  readonly expectedSeq?: number | undefined;
  readonly traceparent?: string | undefined;
  /** RFC 3339, UTC, milliseconds. */
  readonly time?: string | undefined;
  /** JSON text; see EventContent. */
  readonly attributes?: string | null;
}

/** What the request says about all of its events, unless one says so itself. */
export interface Author {
  readonly nodeId: string;
  readonly principal: Principal | undefined;
  readonly correlationId: string;
  readonly traceparent: string | undefined;
  readonly time: string;
}

/** The event as it goes into the log. Throws Problem 403 for another project than the key's, 413 for a large payload. */
export function draftAuthored(
  event: AuthoredEvent,
  { log, author }: { log: EventLog; author: Author },
): Draft {
  const { nodeId, principal } = author;
  if (!seesProject(principal, event.project)) throw outsideOfKey(event.project);
  return withFinitePayload(log.draft({
    id: event.id ?? newId(),
    subject: event.subject,
    type: event.type,
    origin: { nodeId, service: "api", user: principal?.name ?? null },
    project: event.project,
    correlationId: event.correlationId ?? author.correlationId,
    causationId: event.causationId ?? null,
    traceparent: event.traceparent ?? author.traceparent ?? null,
    time: event.time ?? author.time,
    data: event.payload,
  }, {
    idGiven: event.id !== undefined,
    correlationGiven: event.correlationId !== undefined,
    expectedSeq: event.expectedSeq,
    attributes: event.attributes ?? null,
  }));
}

/** The conflict as a key that is limited to projects may see it: where a subject stands may be due to others' events. */
export function withoutForeign(error: unknown): unknown {
  if (!(error instanceof Problem)) return error;
  if (error.code === "sequence_conflict") return new Problem(409, "sequence_conflict", { detail: elsewhere });
  if (error.code !== "batch_conflict") return error;
  const errors = (error.extras.errors as readonly { code: string; detail: string }[]).map((each) =>
    each.code === "sequence_conflict" ? { ...each, detail: elsewhere } : each
  );
  return new Problem(409, "batch_conflict", {
    detail: "Some events conflict with what is stored; nothing of the batch was",
    extras: { errors },
  });
}

const elsewhere = "The subject is not at expected_seq; read it again";

function outsideOfKey(project: string | null): Problem {
  return new Problem(403, "project_forbidden", {
    detail: project === null
      ? "This key is limited to projects: say which one with `project`"
      : `This key may not publish for the project "${project}"`,
  });
}
