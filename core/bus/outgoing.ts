import { BusError, type BusMessage } from "./bus.ts";
import { compilePattern, eventPattern, isSubject } from "./subject.ts";

/** A message that was checked and may be sent; `sizeBytes` counts data and headers as NATS does. */
export interface Outgoing extends BusMessage {
  readonly sizeBytes: number;
}

/** What is about to be sent, and where: into the durable stream, or only to who listens now. */
export interface OutgoingOptions {
  readonly verb: "append" | "publish" | "request" | "answer";
  readonly data: Uint8Array;
  readonly headers?: Readonly<Record<string, string>> | undefined;
  /** Id of an event, by which the stream recognises it when it comes again; it travels as a header too. */
  readonly messageId?: string;
  /** The largest message the bus carries, in bytes. */
  readonly maxBytes: number;
}

const headerName = /^[!-9;-~]+$/;
// deno-lint-ignore no-control-regex -- a line break or NUL in a value would end the header early
const headerBreak = /[\r\n\u0000]/;
const isEvent = compilePattern(eventPattern);
const messageIdHeader = "Nats-Msg-Id";
const encoder = new TextEncoder();

/** Checks a message before any bus takes it. Throws BusError invalid_subject, invalid_header or too_large. */
export function outgoing(subject: string, options: OutgoingOptions): Outgoing {
  const { verb, data, headers = {}, messageId, maxBytes } = options;
  checkSubject(subject, verb);
  const checked = checkHeaders(subject, headers);
  const id = messageId === undefined ? {} : checkHeaders(subject, { [messageIdHeader]: messageId });
  const sizeBytes = data.length + headerBytes({ ...checked, ...id });
  if (sizeBytes > maxBytes) {
    throw new BusError(
      "too_large",
      `Cannot ${verb} "${subject}": ${sizeBytes} bytes, the bus carries ${maxBytes} at the most`,
    );
  }
  return { subject, data, headers: checked, sizeBytes };
}

function checkSubject(subject: string, verb: OutgoingOptions["verb"]): void {
  const fault = !isSubject(subject)
    ? "not a subject (dot-separated tokens of A-Z, a-z, 0-9, _ and -, 255 characters at the most)"
    : verb === "append" && !isEvent(subject)
    ? `not an event subject; the stream holds ${eventPattern}`
    : (verb === "publish" || verb === "request") && isEvent(subject)
    ? `an event subject; the stream would keep it, so append it`
    : undefined;
  if (fault === undefined) return;
  throw new BusError("invalid_subject", `Cannot ${verb} "${subject.slice(0, 255)}": ${fault}`);
}

/** Names become lower-case and values trimmed, so that both buses hand over the same. */
function checkHeaders(subject: string, headers: Readonly<Record<string, string>>): Record<string, string> {
  const checked: Record<string, string> = {};
  for (const [name, value] of Object.entries(headers)) {
    if (!headerName.test(name) || headerBreak.test(value)) {
      throw new BusError(
        "invalid_header",
        `Cannot send "${subject}": header ${JSON.stringify(name)} has a character that a header cannot hold`,
      );
    }
    checked[name.toLowerCase()] = value.trim();
  }
  return checked;
}

/** As NATS encodes them: "NATS/1.0", a line each, an empty line. */
function headerBytes(headers: Record<string, string>): number {
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`).join("");
  return lines === "" ? 0 : encoder.encode(`NATS/1.0\r\n${lines}\r\n`).length;
}
