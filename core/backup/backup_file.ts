import { Buffer } from "node:buffer";
import { hash } from "node:crypto";
import { type FileHandle, open } from "node:fs/promises";
import { promisify } from "node:util";
import { gunzip } from "node:zlib";
import { messageOf } from "../errors.ts";
import {
  type BackupManifest,
  backupManifest,
  formatVersion,
  manifestPath,
  manifestStart,
  sumsPath,
  tablePartPath,
} from "./backup_manifest.ts";
import type { BackupRow } from "./plugin_backup.ts";
import { blockBytes, endBytes, paddingOf, readTarHeader } from "./tar_header.ts";

/** Largest part once it is unpacked, in bytes: one row may be larger than a part should be. */
const maxUnpackedBytes = 512 * 1024 * 1024;

const decompress = promisify(gunzip);

/** Where a part lies. */
interface Place {
  readonly offset: number;
  readonly sizeBytes: number;
}

/** The backup is not what was written. */
export class BackupDamaged extends Error {
  override readonly name = "BackupDamaged";
}

/** A finished backup, opened for reading; every part is compared with its sum whenever it is read. */
export class BackupFile implements AsyncDisposable {
  readonly #path: string;
  readonly #file: FileHandle;
  #places: ReadonlyMap<string, Place> = new Map();
  #sums: ReadonlyMap<string, string> = new Map();
  #manifest: BackupManifest | undefined;

  private constructor(path: string, file: FileHandle) {
    this.#path = path;
    this.#file = file;
  }

  /** Opens a backup and reads what it says it holds. Rejects with BackupDamaged where it is none, or is damaged. */
  static async open(path: string): Promise<BackupFile> {
    let handle: FileHandle;
    try {
      handle = await open(path, "r");
    } catch (error) {
      throw new Error(`Cannot open the backup "${path}": ${messageOf(error)}`, { cause: error });
    }
    const file = new BackupFile(path, handle);
    try {
      file.#places = await file.#list();
      file.#sums = await file.#readSums();
      file.#manifest = await file.#readManifest();
      return file;
    } catch (error) {
      await handle.close();
      throw error;
    }
  }

  get manifest(): BackupManifest {
    return this.#manifest!;
  }

  /** SHA-256 of the sums of all parts: who knows it knows the backup. */
  get fingerprint(): string {
    return hash("sha256", [...this.#sums].flat().join("\n"), "hex");
  }

  /** Compares every part with its sum. */
  async checkSums(onPart: () => void): Promise<void> {
    for (const path of this.#places.keys()) {
      if (path !== sumsPath) await this.read(path);
      onPart();
    }
  }

  /** Whether it holds this part. */
  has(path: string): boolean {
    return this.#places.has(path);
  }

  /** Content of a part. Rejects with BackupDamaged where it is not what was written. */
  async read(path: string): Promise<Buffer> {
    const place = this.#places.get(path);
    if (!place) throw this.#damaged(`it holds no ${path}`);
    const content = await this.#bytes(place.offset, place.sizeBytes + paddingOf(place.sizeBytes));
    const bytes = content.subarray(0, place.sizeBytes);
    if (content.subarray(place.sizeBytes).some((byte) => byte !== 0)) {
      throw this.#damaged(`${path} was changed`);
    }
    if (path !== sumsPath && hash("sha256", bytes, "hex") !== this.#sums.get(path)) {
      throw this.#damaged(`${path} was changed`);
    }
    return bytes;
  }

  /** Rows of a table as lines of JSON, part by part. */
  async *lines(table: string): AsyncGenerator<string[]> {
    for (let number = 1; this.has(tablePartPath(table, number)); number++) {
      const content = await this.read(tablePartPath(table, number));
      const text = await decompress(content, { maxOutputLength: maxUnpackedBytes });
      yield text.toString("utf8").trimEnd().split("\n");
    }
  }

  /** Rows of a table. */
  async *rows(table: string): AsyncGenerator<BackupRow> {
    for await (const lines of this.lines(table)) {
      for (const line of lines) yield JSON.parse(line);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#file.close();
  }

  async #list(): Promise<Map<string, Place>> {
    const { size } = await this.#file.stat();
    const places = new Map<string, Place>();
    let offset = 0;
    while (offset + endBytes < size) {
      const header = readTarHeader(await this.#bytes(offset, blockBytes));
      if (!header) {
        throw this.#damaged(
          offset === 0 ? "it is no backup of CommandCenter" : `what stands at byte ${offset} was changed`,
        );
      }
      const { path, sizeBytes } = header;
      places.set(path, { offset: offset + blockBytes, sizeBytes });
      offset += blockBytes + sizeBytes + paddingOf(sizeBytes);
    }
    if (offset + endBytes !== size) throw this.#damaged("its end is missing");
    const end = await this.#bytes(offset, endBytes);
    if (end.some((byte) => byte !== 0)) throw this.#damaged("its end was changed");
    return places;
  }

  async #readSums(): Promise<Map<string, string>> {
    const text = (await this.read(sumsPath)).toString("utf8");
    const sums = new Map<string, string>();
    for (const line of text.split("\n").slice(0, -1)) {
      const [, sum, path] = /^([0-9a-f]{64}) {2}(.+)$/.exec(line) ?? [];
      if (sum === undefined || path === undefined) throw this.#damaged(`${sumsPath} was changed`);
      sums.set(path, sum);
    }
    const [here, said] = [[...this.#places.keys()], [...sums.keys(), sumsPath]];
    if (here.join("\n") !== said.join("\n")) throw this.#damaged("its parts are not those that it lists");
    return sums;
  }

  async #readManifest(): Promise<BackupManifest> {
    const content: unknown = JSON.parse((await this.read(manifestPath)).toString("utf8"));
    const start = manifestStart.safeParse(content);
    if (!start.success) throw this.#damaged("it is no backup of CommandCenter");
    const { format_version: version } = start.data;
    if (version > formatVersion || version < 1) {
      throw new Error(
        `Cannot read the backup "${this.#path}": its format is version ${version}, and this program knows ` +
          `up to ${formatVersion}; use the version of CommandCenter that made it, or a newer one`,
      );
    }
    const manifest = backupManifest.safeParse(content);
    if (!manifest.success) throw this.#damaged(`${manifestPath} does not say what it has to`);
    return manifest.data;
  }

  async #bytes(offset: number, length: number): Promise<Buffer> {
    const bytes = Buffer.alloc(length);
    for (let done = 0; done < length;) {
      const { bytesRead } = await this.#file.read(bytes, done, length - done, offset + done);
      if (bytesRead === 0) throw this.#damaged("its end is missing");
      done += bytesRead;
    }
    return bytes;
  }

  #damaged(state: string): BackupDamaged {
    return new BackupDamaged(`Cannot use the backup "${this.#path}": ${state}; nothing of it can be trusted`);
  }
}
