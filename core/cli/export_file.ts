import { Buffer } from "node:buffer";
import { type FileHandle, open } from "node:fs/promises";
import { isObject } from "./client.ts";
import { CliError, exitCode } from "./cli_error.ts";
import { gzipMember, isMemberStart, lastMember } from "./gzip_members.ts";

/** Bytes read at once from the end of a file; doubled until they hold a whole line. */
const firstTailBytes = 64 * 1024;

export interface ExportFileOptions {
  /** Go on behind what the file holds already. */
  readonly resume: boolean;
  readonly gzip: boolean;
}

/** The file that an export is written to, line by line, in parts that are complete in themselves. */
export class ExportFile implements AsyncDisposable {
  readonly #file: FileHandle;
  readonly #gzip: boolean;
  /** Sequence of the last event that it holds; 0 where it holds none. */
  readonly lastSeq: number;

  private constructor(file: FileHandle, { gzip, lastSeq }: { gzip: boolean; lastSeq: number }) {
    this.#file = file;
    this.#gzip = gzip;
    this.lastSeq = lastSeq;
  }

  /**
   * Makes the file, or opens it behind its last complete line: what a killed export left half-written is cut off.
   * Rejects with CliError where it is there and not to be gone on with, or is no export.
   */
  static async open(path: string, { resume, gzip }: ExportFileOptions): Promise<ExportFile> {
    const file = await open(path, resume ? "a+" : "ax+", 0o600).catch((error) =>
      Promise.reject(unusable(path, error))
    );
    try {
      const start = Buffer.alloc(16);
      const { bytesRead } = await file.read(start, 0, start.length, 0);
      if (bytesRead === 0) return new ExportFile(file, { gzip, lastSeq: 0 });
      const begun = start.subarray(0, bytesRead);
      const isCompressed = isMemberStart(begun);
      if (!isCompressed && !isLineStart(begun)) throw noExport(path);
      const last = isCompressed ? await lastGzipLine(file) : await lastLine(file);
      const lastSeq = last?.line ? seqOf(last.line) : 0;
      if (last === undefined || lastSeq === undefined) throw noExport(path);
      await file.truncate(last.end);
      return new ExportFile(file, { gzip: isCompressed, lastSeq });
    } catch (error) {
      await file.close();
      throw error;
    }
  }

  /** Adds complete lines. */
  async add(text: string): Promise<void> {
    await this.#file.appendFile(this.#gzip ? gzipMember(text) : text);
  }

  /** Resolves when all of it is on disk. */
  async flush(): Promise<void> {
    await this.#file.sync();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#file.close();
  }
}

interface LastLine {
  /** Bytes of the file up to which it is complete. */
  readonly end: number;
  readonly line: string | undefined;
}

/** Whether the first bytes of a file are those of an event, as far as they go. */
function isLineStart(start: Buffer): boolean {
  const expected = Buffer.from('{"id":"');
  return start.subarray(0, expected.length).equals(expected.subarray(0, start.length));
}

async function lastGzipLine(file: FileHandle): Promise<LastLine | undefined> {
  const member = await lastMember(file);
  return member && { end: member.end, line: member.text.trimEnd().split("\n").at(-1) };
}

async function lastLine(file: FileHandle): Promise<LastLine> {
  const { size } = await file.stat();
  for (let length = firstTailBytes;; length *= 2) {
    const start = Math.max(0, size - length);
    const tail = Buffer.alloc(size - start);
    await file.read(tail, 0, tail.length, start);
    const end = tail.lastIndexOf(10);
    const before = end <= 0 ? -1 : tail.lastIndexOf(10, end - 1);
    if (end >= 0 && (before >= 0 || start === 0)) {
      return { end: start + end + 1, line: tail.toString("utf8", before + 1, end) };
    }
    if (start === 0) return { end: 0, line: undefined };
  }
}

function seqOf(line: string): number | undefined {
  try {
    const event: unknown = JSON.parse(line);
    return isObject(event) && Number.isSafeInteger(event.seq) ? Number(event.seq) : undefined;
  } catch {
    return undefined;
  }
}

function unusable(path: string, error: NodeJS.ErrnoException): CliError {
  if (error.code === "EEXIST") {
    return new CliError(`Cannot export to "${path}": the file is there already`, {
      exitCode: exitCode.usage,
      hint: "--resume goes on behind its last event; or name another file.",
    });
  }
  return new CliError(`Cannot export to "${path}": ${error.message}`, {
    exitCode: exitCode.failed,
    cause: error,
  });
}

function noExport(path: string): CliError {
  return new CliError(`Cannot go on with "${path}": it is no export`, {
    exitCode: exitCode.usage,
    hint:
      "Was it written by `commandcenter events export`? What another program compressed cannot be gone on with.",
  });
}
