import { hash } from "node:crypto";
import { crc32 } from "node:zlib";
import type { EventContent } from "../tables.ts";

/** What the first event of a log follows. */
export const firstLink = "0".repeat(64);

/**
 * All that an event says, as one text: each column behind its length (in UTF-16 code units; `-` for null), so that two
 * contents never have the same text, whatever characters they hold. Part of the format of the log: a change makes every
 * stored hash wrong.
 */
function contentText(row: EventContent): string {
  return `${row.seq} ${row.stored_ms} ${field(row.id)}${field(row.subject)}${field(row.type)}${
    field(row.node_id)
  }${field(row.service)}${field(row.user_name)}${field(row.project)}${field(row.correlation_id)}${
    field(row.causation_id)
  }${field(row.traceparent)}${field(row.time)}${field(row.arrival)}${field(row.attributes)}${row.payload}`;
}

function field(text: string | null): string {
  return text === null ? "-" : `${text.length}:${text}`;
}

/** CRC-32 of the content: tells in a third of a microsecond whether a row is still what was written. */
export function checksumOf(row: EventContent): number {
  return crc32(contentText(row));
}

/** SHA-256 (hexadecimal) over the predecessor's hash and the content: who changes an event breaks all that follow. */
export function linkAfter(previous: string, row: EventContent): string {
  return hash("sha256", `${previous} ${contentText(row)}`, "hex");
}

/** Both at once, which share most of the work. */
export function sealAfter(previous: string, row: EventContent): { checksum: number; hash: string } {
  const text = contentText(row);
  return { checksum: crc32(text), hash: hash("sha256", `${previous} ${text}`, "hex") };
}
