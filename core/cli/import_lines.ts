import { Buffer } from "node:buffer";
import { open } from "node:fs/promises";
import { pipeline, Readable } from "node:stream";
import { createGunzip } from "node:zlib";
import { CliError, exitCode } from "./cli_error.ts";
import { isGzip } from "./gzip_members.ts";
import type { Terminal } from "./terminal.ts";

/** What one request takes, with room to spare. */
const maxLines = 1000;
const maxBytes = 8 * 1024 * 1024 - 1024;
const lineFeed = 10;

/** A file to import, or standard input. */
export interface ImportSource {
  readonly name: string;
  /** As they are in the file, compressed or not. */
  readonly chunks: AsyncIterable<Uint8Array>;
  /** 0 to 1: how much of the file has been read; undefined for standard input. */
  part(): number | undefined;
}

/** Lines that go into one request. */
export interface LineBatch {
  readonly bytes: Uint8Array<ArrayBuffer>;
  /** Number of each line in the file, from 1. */
  readonly numbers: readonly number[];
}

/** Opens a file, or standard input for `-`. Reading rejects with CliError where there is none. */
export function openSource(path: string, terminal: Terminal): ImportSource {
  if (path === "-") return { name: "standard input", chunks: terminal.input(), part: () => undefined };
  let read = 0;
  let size = 0;
  async function* chunks() {
    const file = await open(path).catch((error) => Promise.reject(unreadable(path, error)));
    try {
      size = (await file.stat()).size;
      for await (const chunk of file.createReadStream({ autoClose: false })) {
        read += chunk.length;
        yield chunk;
      }
    } finally {
      await file.close();
    }
  }
  return { name: path, chunks: chunks(), part: () => size === 0 ? undefined : read / size };
}

/**
 * Cuts a source into batches of lines that are not blank. Where the source breaks off, the lines before that come first,
 * then the rejection with CliError.
 */
export async function* lineBatches({ name, chunks }: ImportSource): AsyncGenerator<LineBatch> {
  let lines: Uint8Array[] = [];
  let numbers: number[] = [];
  let bytes = 0;
  const take = (): LineBatch => {
    const batch = { bytes: new Uint8Array(Buffer.concat(lines)), numbers };
    [lines, numbers, bytes] = [[], [], 0];
    return batch;
  };
  let number = 0;
  try {
    for await (const line of linesOf(name, decompressed(chunks))) {
      number++;
      if (!line.some((byte) => byte > 32)) continue;
      if (numbers.length === maxLines || bytes + line.length > maxBytes) yield take();
      lines.push(line);
      numbers.push(number);
      bytes += line.length;
    }
  } catch (error) {
    if (numbers.length > 0) yield take();
    throw error instanceof CliError ? error : unreadable(name, error as Error);
  }
  if (numbers.length > 0) yield take();
}

/** Lines with the line feed at their end. */
async function* linesOf(name: string, chunks: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  let rest: Uint8Array[] = [];
  let restBytes = 0;
  for await (const chunk of chunks) {
    let start = 0;
    for (let end = chunk.indexOf(lineFeed); end >= 0; end = chunk.indexOf(lineFeed, start)) {
      const part = chunk.subarray(start, end + 1);
      yield rest.length === 0 ? part : Buffer.concat([...rest, part]);
      [rest, restBytes] = [[], 0];
      start = end + 1;
    }
    if (start === chunk.length) continue;
    rest.push(chunk.subarray(start));
    restBytes += chunk.length - start;
    if (restBytes > maxBytes) {
      throw new CliError(`Cannot import "${name}": a line has more than 8 MB`, { exitCode: exitCode.failed });
    }
  }
  if (rest.length > 0) yield Buffer.concat([...rest, Buffer.from("\n")]);
}

async function* decompressed(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  const iterator = chunks[Symbol.asyncIterator]();
  let start: Uint8Array = new Uint8Array();
  while (start.length < 2) {
    const { done, value } = await iterator.next();
    if (done) break;
    start = Buffer.concat([start, value]);
  }
  async function* all() {
    if (start.length > 0) yield start;
    yield* { [Symbol.asyncIterator]: () => iterator };
  }
  if (!isGzip(start)) return yield* all();
  const gunzip = createGunzip();
  pipeline(Readable.from(all()), gunzip, () => {}); // what goes wrong is thrown by reading from it
  yield* gunzip as AsyncIterable<Uint8Array>;
}

function unreadable(name: string, error: Error): CliError {
  return new CliError(`Cannot read "${name}": ${error.message}`, { exitCode: exitCode.failed, cause: error });
}
