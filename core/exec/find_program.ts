import { constants } from "node:fs";
import { access, realpath, stat } from "node:fs/promises";
import { dirname, join } from "node:path";
import { ExecError } from "./exec_error.ts";

const writableByAll = 0o002;

/** Whether `name` is one that is looked up in folders: no path, no option. */
export function isProgramName(name: string): boolean {
  return /^[A-Za-z0-9_][A-Za-z0-9_.+-]{0,63}$/.test(name);
}

/** Where programs are looked for. */
export interface ProgramPlaces {
  /** Absolute folders, in the order in which they are searched. */
  readonly path: readonly string[];
  /** Absolute paths by name; they come first. */
  readonly programs: Readonly<Record<string, string>>;
}

/**
 * Absolute path of a program. Rejects with ExecError `not_found`, or `not_executable` where it cannot be run or where
 * anybody may write to it or to its folder, since then anybody could have it replaced.
 */
export async function findProgram(name: string, { path, programs }: ProgramPlaces): Promise<string> {
  const placed = Object.hasOwn(programs, name) ? programs[name]! : undefined;
  const candidates = placed === undefined ? path.map((folder) => join(folder, name)) : [placed];
  for (const candidate of candidates) {
    const file = await resolved(candidate);
    if (file === undefined) continue;
    await requireTrusted(name, file);
    return candidate; // under the name it was called: some programs, busybox among them, go by that
  }
  throw new ExecError("not_found", {
    program: name,
    state: placed === undefined
      ? `it is in none of ${path.join(", ")}; install it, or name its place under exec.programs`
      : `there is no file "${placed}", which exec.programs names`,
  });
}

async function resolved(candidate: string): Promise<string | undefined> {
  try {
    return await realpath(candidate);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "ENOENT" || code === "ENOTDIR" || code === "EACCES" || code === "ELOOP") return undefined;
    throw error;
  }
}

async function requireTrusted(program: string, file: string): Promise<void> {
  const refuse = (state: string, cause?: unknown) =>
    new ExecError("not_executable", { program, state, cause });
  const { mode } = await stat(file).then((found) => {
    if (!found.isFile()) throw refuse(`"${file}" is not a file`);
    return found;
  });
  const folder = dirname(file);
  if ((mode | (await stat(folder)).mode) & writableByAll) {
    throw refuse(`anybody may write to "${file}" or its folder; take that right away (chmod o-w)`);
  }
  try {
    await access(file, constants.X_OK);
  } catch (error) {
    throw refuse(`"${file}" may not be executed by this user`, error);
  }
}
