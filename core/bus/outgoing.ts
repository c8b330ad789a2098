import { BusError, type BusMessage } from "./bus.ts";
import { compilePattern, eventPattern, isSubject } from "./subject.ts";

/** A message that was checked and may be sent; `sizeBytes` counts data and headers as NATS does. */
export interface Outgoing extends BusMessage {
  readonly sizeBytes: number;
}

/** The same with its headers as NATS encodes them, the message id among them; empty where there are none. */
export interface EncodedOutgoing extends Outgoing {
  readonly headerBlock: Uint8Array;
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
/** Names that were looked at, in lower case, so that those of every event are not looked at for every event. */
const knownNames = new Map<string, string>();
const maxKnownNames = 1000;
// deno-lint-ignore no-control-regex -- a line break or NUL in a value would end the header early
const headerBreak = /[\r\n\u0000]/;
const isEvent = compilePattern(eventPattern);
const messageIdHeader = "Nats-Msg-Id";
const encoder = new TextEncoder();

/** Checks a message before any bus takes it. Throws BusError invalid_subject, invalid_header or too_large. */
export function outgoing(subject: string, options: OutgoingOptions): EncodedOutgoing {
  const { verb, data, headers = {}, messageId, maxBytes } = options;
  checkSubject(subject, verb);
  const checked = checkHeaders(subject, headers);
  if (messageId !== undefined) checkValue(subject, { name: messageIdHeader, value: messageId });
  const headerBlock = encodeHeaders(checked, messageId?.trim());
  const sizeBytes = data.length + headerBlock.length;
  if (sizeBytes > maxBytes) {
    throw new BusError(
      "too_large",
      `Cannot ${verb} "${subject}": ${sizeBytes} bytes, the bus carries ${maxBytes} at the most`,
    );
  }
  return { subject, data, headers: checked, headerBlock, sizeBytes };
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
  for (const name in headers) {
    const value = headers[name]!;
    const lowerCase = knownNames.get(name) ?? checkName(subject, name);
    checkValue(subject, { name, value });
    checked[lowerCase] = value.trim();
  }
  return checked;
}

function checkName(subject: string, name: string): string {
  if (!headerName.test(name)) throw invalidHeader(subject, name);
  const lowerCase = name.toLowerCase();
  if (knownNames.size < maxKnownNames) knownNames.set(name, lowerCase);
  return lowerCase;
}

function checkValue(subject: string, { name, value }: { name: string; value: string }): void {
  if (headerBreak.test(value)) throw invalidHeader(subject, name);
}

function invalidHeader(subject: string, name: string): BusError {
  return new BusError(
    "invalid_header",
    `Cannot send "${subject}": header ${JSON.stringify(name)} has a character that a header cannot hold`,
  );
}

/** "NATS/1.0", a line each, an empty line. */
function encodeHeaders(headers: Readonly<Record<string, string>>, messageId: string | undefined): Uint8Array {
  let lines = messageId === undefined ? "" : `${messageIdHeader}: ${messageId}\r\n`;
  for (const name in headers) lines += `${name}: ${headers[name]}\r\n`;
  return encoder.encode(lines && `NATS/1.0\r\n${lines}\r\n`);
}
