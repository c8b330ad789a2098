import { Buffer } from "node:buffer";
import type { FileHandle } from "node:fs/promises";

const firstReadBytes = 64 * 1024;

/** All of a file from its beginning, or undefined where it is, or meanwhile becomes, larger than `maxBytes`. */
export async function readBounded(file: FileHandle, maxBytes: number): Promise<Buffer | undefined> {
  const { size } = await file.stat();
  if (size > maxBytes) return undefined;
  // One byte more than is allowed tells a file that is too large. Its size is no more than a hint: it may grow.
  let buffer = Buffer.alloc(Math.min(maxBytes, Math.max(size, firstReadBytes)) + 1);
  for (let filled = 0;;) {
    const { bytesRead } = await file.read(buffer, filled, buffer.length - filled, null);
    if (bytesRead === 0) return buffer.subarray(0, filled);
    filled += bytesRead;
    if (filled > maxBytes) return undefined;
    if (filled === buffer.length) buffer = Buffer.concat([buffer], Math.min(maxBytes + 1, filled * 2));
  }
}
