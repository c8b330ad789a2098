import type { Stats } from "node:fs";
import { lstat, readlink } from "node:fs/promises";
import { join } from "node:path";
import { isExactName } from "./exact_name.ts";
import type { PathFault } from "./path_fault.ts";
import { inside, pinFolder, type PinnedFolder } from "./pinned_folder.ts";
import { verifyFolder } from "./verify_place.ts";

/** As many links as Linux follows. */
const maxLinks = 40;

/** Where a walk ended: a folder that is held open, and the entry in it, where the path names more than folders. */
export interface Place {
  readonly folder: PinnedFolder;
  /** Undefined where the path is that folder itself. */
  readonly name: string | undefined;
  /** Undefined where there is no such entry. Never a link, unless links at the end were to be left. */
  readonly stats: Stats | undefined;
}

interface Walk {
  /** Real path of the root. */
  readonly root: string;
  readonly fault: PathFault;
  /** `folder`: the last name is entered, too; `entry`: it is only looked at; `link`: so is a link at the end. */
  readonly until: "folder" | "entry" | "link";
}

/**
 * Goes down from the root name by name, each looked up in the folder that is held open, so that nothing can be swapped
 * between check and use. Links are followed by hand, below the root only. The place stays open during `work`.
 */
export async function walkPath<Result>(
  names: readonly string[],
  walk: Walk,
  work: (place: Place) => Promise<Result>,
): Promise<Result> {
  const walker = new Walker(names, walk);
  try {
    return await work(await walker.walk());
  } catch (error) {
    throw walk.fault.from(error);
  } finally {
    await walker.close();
  }
}

class Walker {
  readonly #walk: Walk;
  readonly #pending: string[];
  readonly #folders: PinnedFolder[] = [];
  #links = 0;

  constructor(names: readonly string[], walk: Walk) {
    this.#pending = [...names];
    this.#walk = walk;
  }

  async walk(): Promise<Place> {
    const { root, until, fault } = this.#walk;
    this.#folders.push(await pinFolder(root, root));
    for (let name = this.#pending.shift(); name !== undefined; name = this.#pending.shift()) {
      if (name === "..") {
        await this.#leave();
        continue;
      }
      const folder = this.#top();
      const isLast = this.#pending.length === 0;
      const stats = await lstatIfThere(inside(folder, name));
      if (stats === undefined && !(isLast && until !== "folder")) throw fault.notFound();
      if (stats?.isSymbolicLink() && !(isLast && until === "link")) {
        await this.#follow(folder, name);
        continue;
      }
      if (stats && !await isExactName(folder, { name, stats })) throw fault.otherCase();
      if (isLast && until !== "folder") return { folder, name, stats };
      await this.#enter(folder, { name, stats });
    }
    return { folder: this.#top(), name: undefined, stats: await this.#top().handle.stat() };
  }

  async close(): Promise<void> {
    for (const { handle } of this.#folders.splice(0)) await handle.close();
  }

  #top(): PinnedFolder {
    return this.#folders.at(-1)!;
  }

  async #enter(
    folder: PinnedFolder,
    { name, stats }: { name: string; stats: Stats | undefined },
  ): Promise<void> {
    const { fault } = this.#walk;
    const entered = await pinFolder(inside(folder, name), join(folder.realPath, name)).catch((error) => {
      throw stats?.isDirectory() && error.code !== "EACCES" ? fault.restless() : error;
    });
    this.#folders.push(entered);
    await verifyFolder(entered, fault);
  }

  /** `..` in the target of a link: back to where we came from, never through the file system. */
  async #leave(): Promise<void> {
    if (this.#folders.length === 1) throw this.#walk.fault.outside();
    await this.#folders.pop()!.handle.close();
  }

  async #follow(folder: PinnedFolder, name: string): Promise<void> {
    const { root, fault } = this.#walk;
    if (++this.#links > maxLinks) throw fault.loop();
    const target = await readlink(inside(folder, name)).catch((error: NodeJS.ErrnoException) => {
      throw error.code === "EINVAL" ? fault.restless() : error;
    });
    let steps = target;
    if (target.startsWith("/")) {
      if (target !== root && !target.startsWith(`${root}/`)) throw fault.outside();
      steps = target.slice(root.length);
      while (this.#folders.length > 1) await this.#leave();
    }
    this.#pending.unshift(...steps.split("/").filter((step) => step !== "" && step !== "."));
  }
}

async function lstatIfThere(path: string): Promise<Stats | undefined> {
  try {
    return await lstat(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
}
