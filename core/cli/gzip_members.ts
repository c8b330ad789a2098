import { Buffer } from "node:buffer";
import type { FileHandle } from "node:fs/promises";
import { crc32, deflateRawSync, gunzipSync } from "node:zlib";

/** Every member of ours begins so; its length in bytes follows. */
const memberStart = Uint8Array.of(0x1f, 0x8b, 8, 4, 0, 0, 0, 0, 0, 255, 8, 0, 0x43, 0x43, 4, 0);
const headerBytes = memberStart.length + 4;
const trailerBytes = 8;

/**
 * A gzip file may be a row of members, each complete in itself. Ours say how long they are, in a header field of their
 * own ("CC"; bgzip has its "BC"), so that where the last complete one ends is found without reading the others.
 */
export function gzipMember(text: string): Uint8Array {
  const data = Buffer.from(text);
  const compressed = deflateRawSync(data);
  const member = Buffer.alloc(headerBytes + compressed.length + trailerBytes);
  member.set(memberStart);
  member.writeUInt32LE(member.length, memberStart.length);
  member.set(compressed, headerBytes);
  member.writeUInt32LE(crc32(data), headerBytes + compressed.length);
  member.writeUInt32LE(data.length, headerBytes + compressed.length + 4);
  return member;
}

/** Whether the bytes begin a gzip file. */
export function isGzip(start: Uint8Array): boolean {
  return start[0] === 0x1f && start[1] === 0x8b;
}

/** Whether the first bytes of a file are those of a member of ours, as far as they go. */
export function isMemberStart(start: Uint8Array): boolean {
  return memberStart.every((byte, index) => index >= start.length || start[index] === byte);
}

/**
 * Where the last complete member of a file ends, and its text: 0 and nothing where there is none yet. Undefined where
 * there are some, and all of them are damaged.
 */
export async function lastMember(file: FileHandle): Promise<{ end: number; text: string } | undefined> {
  const members = await completeMembers(file);
  for (const { start, end } of members.toReversed()) {
    const bytes = Buffer.alloc(end - start);
    await file.read(bytes, 0, bytes.length, start);
    try {
      return { end, text: gunzipSync(bytes).toString() };
    } catch {
      // A power loss may leave the length of what was never written; the member before it is what counts then.
    }
  }
  return members.length === 0 ? { end: 0, text: "" } : undefined;
}

async function completeMembers(file: FileHandle): Promise<{ start: number; end: number }[]> {
  const { size } = await file.stat();
  const members: { start: number; end: number }[] = [];
  const header = Buffer.alloc(headerBytes);
  for (let start = 0; start + headerBytes <= size;) {
    await file.read(header, 0, headerBytes, start);
    const end = start + header.readUInt32LE(memberStart.length);
    if (!isMemberStart(header) || end > size || end < start + headerBytes + trailerBytes) break;
    members.push({ start, end });
    start = end;
  }
  return members;
}
