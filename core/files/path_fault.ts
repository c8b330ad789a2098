import { messageOf, Problem } from "../errors.ts";
import { shownPath } from "./user_path.ts";

/** Makes the problems of one path; each says what was to be done with it. */
export class PathFault {
  readonly #words: string;

  constructor(verb: "open" | "read" | "write" | "list" | "make", path: string) {
    this.#words = `Cannot ${verb} ${shownPath(path)}`;
  }

  notFound(cause?: unknown): Problem {
    return this.#problem(404, "path_not_found", { state: "there is no such file or folder", cause });
  }

  outside(): Problem {
    return this.#problem(403, "outside_root", { state: "a link in it leads out of the root" });
  }

  loop(): Problem {
    return this.#problem(409, "link_loop", { state: "its links lead in a circle" });
  }

  restless(): Problem {
    return this.#problem(409, "path_changing", { state: "it was replaced while it was opened; try again" });
  }

  otherCase(): Problem {
    const state = "it is spelled differently there, in capitals or accents";
    return this.#problem(404, "path_not_found", { state });
  }

  notA(kind: "file" | "folder"): Problem {
    return this.#problem(409, `not_a_${kind}`, { state: `it is not a ${kind}` });
  }

  hardLinked(): Problem {
    const state = "the file has a second name (hard link), which may be outside of the root";
    return this.#problem(403, "hard_linked", { state });
  }

  isLink(): Problem {
    return this.#problem(409, "path_is_link", { state: "it is a link, and links are not written through" });
  }

  exists(): Problem {
    return this.#problem(409, "path_exists", { state: "it is there already" });
  }

  tooLarge(maxBytes: number): Problem {
    return this.#problem(413, "file_too_large", { state: `it is larger than ${maxBytes} bytes` });
  }

  /** The problem behind an error of the system. */
  from(error: unknown): Problem {
    if (error instanceof Problem) return error;
    const { code } = error as NodeJS.ErrnoException;
    if (code === "ENOENT") return this.notFound(error);
    if (code === "ENOTDIR") return this.notA("folder");
    if (code === "EISDIR") return this.notA("file");
    if (code === "EEXIST") return this.exists();
    if (code === "ELOOP") return this.restless();
    if (code === "EACCES" || code === "EPERM" || code === "EROFS") {
      const state = "the system does not allow it to the agent's user";
      return this.#problem(403, "path_forbidden", { state, cause: error });
    }
    if (code === "ENOSPC" || code === "EDQUOT") {
      return this.#problem(507, "storage_full", { state: "there is no space left", cause: error });
    }
    return this.#problem(500, "file_error", { state: code ?? messageOf(error), cause: error });
  }

  #problem(
    status: number,
    code: string,
    { state, cause }: { state: string; cause?: unknown },
  ): Problem {
    const detail = `${this.#words}: ${state}`;
    return new Problem(status, code, cause === undefined ? { detail } : { detail, cause });
  }
}
