import { hash } from "node:crypto";
import { crc32 } from "node:zlib";
import type { EventContent } from "./tables.ts";

/** What the first event of a log follows. */
export const firstLink = "0".repeat(64);

/** Stands for null: no text of an event holds control characters, which JSON escapes and names do not have. */
const absent = "\u0001";

/**
 * All that an event says, as one text: its columns in the order of the table, parted by NUL, which PostgreSQL cannot
 * store and JSON escapes. Part of the format of the log: a change makes every stored hash wrong.
 */
function contentText(row: EventContent): string {
  return `${row.seq}\0${row.id}\0${row.subject}\0${row.type}\0${row.node_id}\0${row.service}\0${
    row.user_name ?? absent
  }\0${row.project ?? absent}\0${row.correlation_id}\0${row.causation_id ?? absent}\0${
    row.traceparent ?? absent
  }\0${row.time}\0${row.stored_ms}\0${row.arrival}\0${row.attributes ?? absent}\0${row.payload}`;
}

/** CRC-32 of the content: tells in a tenth of a microsecond whether a row is still what was written. */
export function checksumOf(row: EventContent): number {
  return crc32(contentText(row));
}

/** SHA-256 (hexadecimal) over the predecessor's hash and the content: who changes an event breaks all that follow. */
export function linkAfter(previous: string, row: EventContent): string {
  return hash("sha256", `${previous}\0${contentText(row)}`, "hex");
}

/** Both at once, which share most of the work. */
export function sealAfter(previous: string, row: EventContent): { checksum: number; hash: string } {
  const text = contentText(row);
  return { checksum: crc32(text), hash: hash("sha256", `${previous}\0${text}`, "hex") };
}
