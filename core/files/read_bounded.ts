import { Buffer } from "node:buffer";
import type { FileHandle } from "node:fs/promises";

const growthBytes = 1024 * 1024;

/** All of a file from its beginning, or undefined where it is, or meanwhile becomes, larger than `maxBytes`. */
export async function readBounded(file: FileHandle, maxBytes: number): Promise<Buffer | undefined> {
  const { size } = await file.stat();
  if (size > maxBytes) return undefined;
  // One byte more than is allowed tells a file that is too large. Its size is no more than a hint: it may grow.
  let buffer = Buffer.alloc(Math.min(maxBytes, size) + 1);
  for (let filled = 0;;) {
    const wanted = buffer.length - filled;
    const { bytesRead } = await file.read(buffer, filled, wanted, null);
    filled += bytesRead;
    if (filled > maxBytes) return undefined;
    if (bytesRead < wanted) return buffer.subarray(0, filled); // of a file, less than wanted is its end
    if (filled === buffer.length) {
      buffer = Buffer.concat([buffer], Math.min(maxBytes + 1, filled + growthBytes));
    }
  }
}
