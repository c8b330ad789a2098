import type { Buffer } from "node:buffer";
import { randomUUID } from "node:crypto";
import { constants } from "node:fs";
import {
  type FileHandle,
  link,
  lstat,
  mkdir,
  open,
  opendir,
  realpath,
  rename,
  unlink,
} from "node:fs/promises";
import { isAbsolute, join } from "node:path";
import { ConfigurationError } from "../errors.ts";
import { PathFault } from "./path_fault.ts";
import { inside, pinFolder, type PinnedFolder } from "./pinned_folder.ts";
import { openDirectly, readFlags } from "./open_directly.ts";
import { readBounded } from "./read_bounded.ts";
import { faultOfName, parseUserPath } from "./user_path.ts";
import { verifyFolder, verifyPlace } from "./verify_place.ts";
import { type Place, walkPath } from "./walk_path.ts";

/** Something that moves while it is opened is opened again this often. */
const maxAttempts = 8;
const defaultMaxEntries = 10_000;

/** What a path leads to, links followed. */
export interface FileFacts {
  readonly kind: "file" | "folder" | "other";
  readonly sizeBytes: number;
  readonly modifiedAt: Date;
}

/** One entry of a folder. */
export interface FolderEntry {
  readonly name: string;
  /** Links are not followed: `stat` tells where they lead. */
  readonly kind: "file" | "folder" | "link" | "other";
}

/** What a folder holds. */
export interface FolderList {
  /** In the order of their names. */
  readonly entries: readonly FolderEntry[];
  /** There are more than were asked for. */
  readonly truncated: boolean;
  /** Entries whose names no path may hold; see `parseUserPath`. */
  readonly refusedNames: number;
}

/** A folder that is held open, to run a program in. */
export interface OpenFolder extends AsyncDisposable {
  /** Leads to this very folder as long as it is held, whatever happens to its name. */
  readonly path: string;
  /** For people. */
  readonly realPath: string;
}

interface WriteOptions {
  /** Default 0o600; not narrowed by the umask. */
  readonly mode?: number;
  /** False: 409 `path_exists` instead of replacing it. */
  readonly replace?: boolean;
}

interface RootOptions {
  /** Refuse to read files with a second name: for roots into which others put files. Default false. */
  readonly refuseHardLinks?: boolean;
}

/** A configured folder; its real path has to be an existing folder. Rejects with ConfigurationError. */
export async function openRoot(path: string, options: RootOptions = {}): Promise<PathRoot> {
  const refuse = (state: string, cause?: unknown) =>
    new ConfigurationError([`Cannot use "${path}" as a root: ${state}`], { cause });
  if (!isAbsolute(path)) throw refuse("it has to be an absolute path");
  const real = await realpath(path).catch((error: NodeJS.ErrnoException) => {
    throw refuse(error.code === "ENOENT" ? "there is no such folder; create it" : String(error.code), error);
  });
  if (real === "/") throw refuse("that is the whole file system; name a folder in it");
  if (!(await lstat(real)).isDirectory()) throw refuse("it is not a folder");
  return new PathRoot(real, options);
}

/**
 * The files below one folder, by paths that users give. All methods reject with Problem: 400 `invalid_path`, 403
 * `outside_root`, 404 `path_not_found`, 409, 413 `file_too_large`.
 */
export class PathRoot {
  /** Real path of the folder. */
  readonly path: string;
  readonly #options: RootOptions;

  constructor(path: string, options: RootOptions) {
    this.path = path;
    this.#options = options;
  }

  /** The path in its one spelling (NFC, no `.`, no double slashes), `""` for the root. Throws Problem 400; looks at no file. */
  normalize(path: string): string {
    return parseUserPath(path).join("/");
  }

  /** Opens a regular file for reading; the caller closes it. Never blocks on FIFOs or devices. */
  async open(path: string): Promise<FileHandle> {
    const fault = new PathFault("open", path);
    const file = await openDirectly(this.path, parseUserPath(path));
    if (file) return await this.#accepted(file, fault);
    for (let attempt = 1;; attempt++) {
      try {
        return await this.#walk(path, { until: "entry", fault }, (place) => this.#openFile(place, fault));
      } catch (error) {
        const isMoving = (error as { code?: unknown }).code === "path_changing";
        if (!isMoving || attempt === maxAttempts) throw error;
      }
    }
  }

  /** The whole file, `maxBytes` at the most. */
  async readFile(path: string, { maxBytes }: { maxBytes: number }): Promise<Buffer> {
    await using file = await this.open(path);
    const bytes = await readBounded(file, maxBytes);
    if (bytes === undefined) throw new PathFault("read", path).tooLarge(maxBytes);
    return bytes;
  }

  /** Puts the file there as a whole, on disk: readers see the old one or the new one, and no link is written through. */
  async writeFile(path: string, content: string | Uint8Array, options: WriteOptions = {}): Promise<void> {
    const fault = new PathFault("write", path);
    await this.#walk(path, { until: "link", fault }, async ({ folder, name, stats }) => {
      if (stats?.isSymbolicLink()) throw fault.isLink();
      if (name === undefined || (stats && !stats.isFile())) throw fault.notA("file");
      if (stats && options.replace === false) throw fault.exists();
      await writeAtomically(folder, { name, content, fault, ...options });
    });
  }

  /** Makes one folder; its parent has to exist. */
  async makeFolder(path: string): Promise<void> {
    const fault = new PathFault("make", path);
    await this.#walk(path, { until: "link", fault }, async ({ folder, name, stats }) => {
      if (name === undefined || stats) throw fault.exists();
      await mkdir(inside(folder, name));
    });
  }

  /** What a folder holds, `limit` entries at the most (default 10,000). */
  async list(path: string, { limit = defaultMaxEntries }: { limit?: number } = {}): Promise<FolderList> {
    const fault = new PathFault("list", path);
    return await this.#walk(path, { until: "folder", fault }, async ({ folder }) => {
      const list = await listFolder(folder, limit);
      await verifyFolder(folder, fault);
      return list;
    });
  }

  /** What a path leads to. */
  async stat(path: string): Promise<FileFacts> {
    const fault = new PathFault("read", path);
    return await this.#walk(path, { until: "entry", fault }, async ({ folder, stats }) => {
      if (!stats) throw fault.notFound();
      await verifyFolder(folder, fault);
      const kind = stats.isFile() ? "file" : stats.isDirectory() ? "folder" : "other";
      return { kind, sizeBytes: stats.size, modifiedAt: stats.mtime };
    });
  }

  /** Holds a folder open, for `cwd` of `host.exec`; the caller disposes of it. */
  async openFolder(path: string): Promise<OpenFolder> {
    const fault = new PathFault("open", path);
    return await this.#walk(path, { until: "folder", fault }, async ({ folder }) => {
      // One of its own: that of the walk is closed with it.
      const held = await pinFolder(folder.isPinned ? `${folder.path}/.` : folder.path, folder.realPath);
      return {
        path: held.path,
        realPath: held.realPath,
        [Symbol.asyncDispose]: () => held.handle.close(),
      };
    });
  }

  #walk<Result>(
    path: string,
    { until, fault }: { until: "folder" | "entry" | "link"; fault: PathFault },
    work: (place: Place) => Promise<Result>,
  ): Promise<Result> {
    return walkPath(parseUserPath(path), { root: this.path, until, fault }, work);
  }

  async #openFile({ folder, name, stats }: Place, fault: PathFault): Promise<FileHandle> {
    if (name === undefined) throw fault.notA("file");
    if (!stats) throw fault.notFound();
    if (!stats.isFile()) throw fault.notA("file"); // before opening: devices do things when they are opened
    const file = await open(inside(folder, name), readFlags);
    // Whatever was put there in the meantime is fine where the folder is held; elsewhere it may be behind a link.
    const realPath = join(folder.realPath, name);
    return await this.#accepted(file, fault, folder.isPinned ? undefined : realPath);
  }

  async #accepted(file: FileHandle, fault: PathFault, unpinnedPath?: string): Promise<FileHandle> {
    try {
      const opened = await file.stat();
      if (!opened.isFile()) throw fault.notA("file");
      if (unpinnedPath !== undefined) await verifyPlace(file, { realPath: unpinnedPath, fault });
      if (this.#options.refuseHardLinks && opened.nlink > 1) throw fault.hardLinked();
      return file;
    } catch (error) {
      await file.close();
      throw error;
    }
  }
}

async function writeAtomically(
  folder: PinnedFolder,
  { name, content, fault, mode = 0o600, replace = true }: WriteOptions & {
    name: string;
    content: string | Uint8Array;
    fault: PathFault;
  },
): Promise<void> {
  const draftName = `.${randomUUID()}.tmp`;
  const draft = inside(folder, draftName);
  const flags = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW;
  const file = await open(draft, flags, 0o600);
  try {
    try {
      if (!folder.isPinned) await verifyPlace(file, { realPath: join(folder.realPath, draftName), fault });
      await file.writeFile(content);
      await file.chmod(mode);
      await file.sync();
    } finally {
      await file.close();
    }
    if (replace) await rename(draft, inside(folder, name));
    else await link(draft, inside(folder, name)); // unlike a rename it fails where something is
  } catch (error) {
    await unlink(draft).catch(() => {}); // what went wrong first is what counts
    throw error;
  }
  if (!replace) await unlink(draft);
  await folder.handle.sync();
}

async function listFolder(folder: PinnedFolder, limit: number): Promise<FolderList> {
  const entries: FolderEntry[] = [];
  let refusedNames = 0;
  let truncated = false;
  // To the end, whatever the limit: Deno gives a listing back only when it is exhausted.
  for await (const entry of await opendir(folder.path)) {
    const { name } = entry;
    if (name.normalize("NFC") !== name || faultOfName(name) !== undefined) {
      refusedNames++;
      continue;
    }
    if (entries.length === limit) {
      truncated = true;
      continue;
    }
    const kind = entry.isFile()
      ? "file"
      : entry.isDirectory()
      ? "folder"
      : entry.isSymbolicLink()
      ? "link"
      : "other";
    entries.push({ name, kind });
  }
  entries.sort((a, b) => a.name < b.name ? -1 : 1);
  return { entries, truncated, refusedNames };
}
