import { constants } from "node:fs";
import { open } from "node:fs/promises";

/** Reads a file of at most `limitBytes`. Rejects, saying why, where it is larger or no regular file. */
export type ReadFile = (path: string, limitBytes: number) => Promise<Uint8Array>;

/** Reads from the disk; a pipe or a device is refused, since reading it might never end. */
export async function readLimited(path: string, limitBytes: number): Promise<Uint8Array> {
  const file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
  try {
    const found = await file.stat();
    if (!found.isFile()) throw new Error(found.isDirectory() ? "it is a folder" : "it is no regular file");
    // The size says little (files of /proc have none, others may grow): what is read is what is bounded.
    const buffer = new Uint8Array(limitBytes + 1);
    let length = 0;
    while (length < buffer.length) {
      const { bytesRead } = await file.read(buffer, length, buffer.length - length);
      if (bytesRead === 0) return buffer.subarray(0, length);
      length += bytesRead;
    }
    throw new Error(`it is larger than ${limitBytes / 1024} KB`);
  } finally {
    await file.close();
  }
}

/** Why a file could not be read, in words. */
export function readFailure(error: unknown): string {
  const code = (error as NodeJS.ErrnoException).code;
  if (code === "ENOENT") return "no such file";
  if (code === "EACCES" || code === "EPERM") return "permission denied";
  if (code === "EISDIR") return "it is a folder";
  return error instanceof Error ? error.message : String(error);
}
