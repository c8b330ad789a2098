import type { BusMessage } from "../../../core/bus/bus.ts";
import { isSubject } from "../../../core/bus/subject.ts";
import { fromMessage } from "../../../core/cloudevents.ts";
import type { Envelope } from "../../../core/events.ts";
import type { Draft } from "../log/draft.ts";
import { attributesOf } from "../relay/event_headers.ts";

/** Longest id, correlation id, or name of a user. */
const maxTextLength = 256;
const traceparentShape = /^[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}$/;
// deno-lint-ignore no-control-regex -- these are what must not be in a name, nor in the one line of a stored payload
const control = /[\u0000-\u001f\u007f]/;
const decoder = new TextDecoder("utf-8", { fatal: true });

/** Why a message of another host cannot be an event of this log. */
export class RefusedMessage extends Error {
  override readonly name = "RefusedMessage";
}

/** A message as an event that is to be stored as it is. Throws RefusedMessage. */
export function readMessage(message: BusMessage, { maxPayloadBytes }: { maxPayloadBytes: number }): Draft {
  if (message.data.length > maxPayloadBytes) {
    throw new RefusedMessage(
      `its payload has ${message.data.length} bytes, allowed are ${maxPayloadBytes} (max_payload)`,
    );
  }
  try {
    const envelope = fromMessage(message);
    checkOrigin(envelope);
    checkTexts(envelope);
    const payload = payloadOf(message.data, envelope.data);
    return {
      envelope: { ...envelope, time: timeOf(envelope.time) },
      payload,
      idGiven: true,
      correlationGiven: false,
      arrival: "collected",
      attributes: attributesOf(message.headers),
    };
  } catch (error) {
    if (error instanceof RefusedMessage) throw error;
    throw new RefusedMessage(error instanceof Error ? error.message : String(error), { cause: error });
  }
}

/** A host speaks for itself alone: whose subject it is must be who says so. Searches rely on it, and on the type. */
function checkOrigin({ subject, type, origin }: Envelope): void {
  const [, node, ...rest] = subject.split(".");
  if (type !== rest.join(".")) throw new RefusedMessage("its ce-type is not what its subject ends with");
  if (node === "global" || node === origin.nodeId) return;
  throw new RefusedMessage(
    `it came under the subject of "${node}", but says that "${origin.nodeId}" is its source`,
  );
}

function checkTexts({ id, type, origin, project, correlationId, causationId, traceparent }: Envelope): void {
  const texts: Readonly<Record<string, string | null>> = {
    "ce-id": id,
    "ce-source": `${origin.nodeId}/${origin.service}`,
    "ce-authid": origin.user,
    "ce-correlationid": correlationId,
    "ce-causationid": causationId,
  };
  for (const [name, text] of Object.entries(texts)) {
    if (text === null) continue;
    if (text === "" || text.length > maxTextLength || control.test(text) || !text.isWellFormed()) {
      throw new RefusedMessage(
        `${name} is not a text of 1 to ${maxTextLength} characters without control characters`,
      );
    }
  }
  if (!isSubject(type)) throw new RefusedMessage("ce-type is not made of tokens of A-Z, a-z, 0-9, _ and -");
  if (project !== null && !/^[a-z0-9-]{1,50}$/.test(project)) {
    throw new RefusedMessage("ce-subject is no slug of a project");
  }
  if (traceparent !== null && !traceparentShape.test(traceparent)) {
    throw new RefusedMessage("ce-traceparent is no W3C traceparent");
  }
}

/** As it came, if it is one line; as every payload of the log is. */
function payloadOf(bytes: Uint8Array, data: unknown): string {
  const text = decoder.decode(bytes);
  return control.test(text) ? JSON.stringify(data) : text;
}

/** In the form in which the log compares times. */
function timeOf(text: string): string {
  const time = new Date(/^\d{4}-\d{2}-\d{2}T.+(?:Z|[+-]\d{2}:\d{2})$/.test(text) ? text : NaN);
  const year = time.getUTCFullYear();
  if (!(year >= 0 && year <= 9999)) throw new RefusedMessage("ce-time is no RFC 3339 time");
  return time.toISOString();
}
