import { Buffer } from "node:buffer";

/** Everything in a tar file comes in blocks of that many bytes. */
export const blockBytes = 512;
/** What closes a tar file. */
export const endBytes = 2 * blockBytes;

/** Bytes that fill the last block of content of that size. */
export function paddingOf(sizeBytes: number): number {
  return (blockBytes - sizeBytes % blockBytes) % blockBytes;
}

/** One file of a tar file. */
export interface TarHeader {
  /** 100 bytes of ASCII at the most. */
  readonly path: string;
  /** Below 8 GiB. */
  readonly sizeBytes: number;
  readonly modified: Date;
}

/** The block in front of a file's content, in the format of POSIX (ustar); readable by its owner only. */
export function writeTarHeader({ path, sizeBytes, modified }: TarHeader): Buffer {
  const block = Buffer.alloc(blockBytes);
  block.write(path, 0, 100, "ascii");
  block.write("0000600\0", 100);
  block.write("0000000\0", 108);
  block.write("0000000\0", 116);
  block.write(`${sizeBytes.toString(8).padStart(11, "0")}\0`, 124);
  block.write(`${Math.floor(modified.getTime() / 1000).toString(8).padStart(11, "0")}\0`, 136);
  block.write("0", 156);
  block.write("ustar\x0000", 257);
  block.write(`${checksumOf(block).toString(8).padStart(6, "0")}\0 `, 148);
  return block;
}

/** Reads such a block; undefined where it is anything else, also another program's header. */
export function readTarHeader(block: Buffer): TarHeader | undefined {
  const octal = (start: number) => Number.parseInt(block.toString("ascii", start, start + 11), 8);
  const end = block.indexOf(0);
  const path = block.toString("ascii", 0, end < 0 || end > 100 ? 100 : end);
  const header = { path, sizeBytes: octal(124), modified: new Date(octal(136) * 1000) };
  // Ours are the same to the byte each time, so that whatever differs was changed.
  const isOurs = Number.isSafeInteger(header.sizeBytes) && Number.isFinite(header.modified.getTime()) &&
    writeTarHeader(header).equals(block);
  return isOurs ? header : undefined;
}

/** Sum of the bytes, with blanks in place of the sum itself. */
function checksumOf(block: Buffer): number {
  let sum = 8 * 32;
  for (const [index, byte] of block.entries()) if (index < 148 || index >= 156) sum += byte;
  return sum;
}
