import { isSubject, maxSubjectLength } from "../../../core/bus/subject.ts";
import { Problem } from "../../../core/errors.ts";

/** A full subject and the type that it ends with. */
export interface Placed {
  readonly subject: string;
  readonly type: string;
}

/** Subjects that were placed before; authors use few of them, and a batch holds the same one again and again. */
const placed = { nodeId: "", byGiven: new Map<string, Placed>() };
const maxPlaced = 1000;

/**
 * The full subject of an event: without `hub.` it is placed under this node. Throws Problem 422 for what is no subject,
 * is too short for an event, or would speak in another node's name.
 */
export function placeSubject(given: string, nodeId: string): Placed {
  if (placed.nodeId !== nodeId || placed.byGiven.size >= maxPlaced) {
    placed.nodeId = nodeId;
    placed.byGiven.clear();
  }
  let place = placed.byGiven.get(given);
  if (place === undefined) {
    place = newPlace(given, nodeId);
    placed.byGiven.set(given, place);
  }
  return place;
}

function newPlace(given: string, nodeId: string): Placed {
  const subject = given.startsWith("hub.") ? given : `hub.${nodeId}.${given}`;
  if (!isSubject(subject)) {
    throw invalid(
      `"${
        given.slice(0, maxSubjectLength)
      }" is no subject: it takes dot-separated tokens of A-Z, a-z, 0-9, _ and -, ` +
        `${maxSubjectLength} characters at the most`,
    );
  }
  const [, node, ...type] = subject.split(".");
  if (node !== nodeId && node !== "global") {
    throw new Problem(422, "foreign_subject", {
      detail:
        `"${given}" speaks in the name of "${node}"; this node publishes under hub.${nodeId}. or hub.global.`,
    });
  }
  if (type.length < 2) {
    throw invalid(`"${given}" is too short: an event's type has at least two tokens, such as demo.created`);
  }
  return { subject, type: type.join(".") };
}

function invalid(detail: string): Problem {
  return new Problem(422, "invalid_subject", { detail });
}
