import { Buffer } from "node:buffer";
import { hash } from "node:crypto";
import { type FileHandle, open, rm } from "node:fs/promises";
import { dirname } from "node:path";
import { promisify } from "node:util";
import { gzip } from "node:zlib";
import { newId } from "../clock.ts";
import { nameIfFree, syncFolder } from "../data_dir.ts";
import { messageOf } from "../errors.ts";
import {
  type BackupManifest,
  type BackupPart,
  manifestPath,
  sumsPath,
  tablePartPath,
} from "./backup_manifest.ts";
import { endBytes, paddingOf, writeTarHeader } from "./tar_header.ts";

/** Rows are put together up to this size, in UTF-16 code units. */
const partLength = 4 * 1024 * 1024;
/** Twice as fast as the usual 6, and a tenth larger. */
const compressionLevel = 3;

const compress = promisify(gzip);

/** Writes a backup beside its final name, and gives it that only when all of it is on disk. */
export class BackupWriter implements AsyncDisposable {
  readonly #path: string;
  readonly #file: FileHandle;
  readonly #modified = new Date();
  #parts: BackupPart[] = [];
  /** Where the rows end. */
  #end: number | undefined;
  /** Where it is written. */
  readonly temporary: string;

  private constructor(path: string, file: FileHandle, temporary: string) {
    this.#path = path;
    this.#file = file;
    this.temporary = temporary;
  }

  /** Begins the backup that will be `path`. Rejects where nothing can be written there. */
  static async open(path: string): Promise<BackupWriter> {
    const temporary = `${path}.${newId()}.part`;
    try {
      return new BackupWriter(path, await open(temporary, "ax", 0o600), temporary);
    } catch (error) {
      throw new Error(`Cannot write the backup "${path}": ${messageOf(error)}`, { cause: error });
    }
  }

  /** Adds one part. */
  async add(path: string, content: Uint8Array): Promise<void> {
    const sizeBytes = content.length;
    this.#parts.push({ path, size_bytes: sizeBytes, sha256: hash("sha256", content, "hex") });
    const header = writeTarHeader({ path, sizeBytes, modified: this.#modified });
    await this.#file.appendFile(Buffer.concat([header, content, Buffer.alloc(paddingOf(sizeBytes))]));
  }

  /** Adds a table, whose rows come as lines of JSON; resolves to their number. */
  async addTable(
    table: string,
    lines: AsyncIterable<readonly string[]>,
    onRows: (rows: number) => void,
  ): Promise<number> {
    let rows = 0;
    let number = 0;
    let length = 0;
    let pending: string[] = [];
    let written: Promise<void> = Promise.resolve();
    // One part is compressed while the rows of the next are read.
    const flush = async () => {
      const content = compress(`${pending.join("\n")}\n`, { level: compressionLevel });
      pending = [];
      length = 0;
      const path = tablePartPath(table, ++number);
      await written;
      written = content.then((bytes) => this.add(path, bytes));
      written.catch(() => {}); // told by whoever waits for it next
    };
    for await (const page of lines) {
      for (const line of page) {
        pending.push(line);
        length += line.length;
        if (length >= partLength) await flush();
      }
      rows += page.length;
      onRows(page.length);
    }
    if (pending.length > 0) await flush();
    await written;
    return rows;
  }

  /** Adds the manifest and the sums of all parts, in place of an earlier manifest, and waits for the disk. */
  async close(manifest: Omit<BackupManifest, "parts">): Promise<void> {
    const parts = [...this.#parts];
    this.#end ??= (await this.#file.stat()).size;
    await this.#file.truncate(this.#end);
    const content = JSON.stringify({ ...manifest, parts }, null, 1);
    await this.add(manifestPath, Buffer.from(`${content}\n`));
    const sums = this.#parts.map(({ path, sha256 }) => `${sha256}  ${path}\n`).join("");
    await this.add(sumsPath, Buffer.from(sums));
    await this.#file.appendFile(Buffer.alloc(endBytes));
    await this.#file.sync();
    this.#parts = parts;
  }

  /** Gives it its name. Resolves to false where another file has taken that meanwhile. */
  async publish(): Promise<boolean> {
    const isNamed = await nameIfFree(this.temporary, this.#path);
    await rm(this.temporary, { force: true });
    await syncFolder(dirname(this.#path));
    return isNamed;
  }

  /** Takes away what was not finished. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#file.close();
    await rm(this.temporary, { force: true });
  }
}
