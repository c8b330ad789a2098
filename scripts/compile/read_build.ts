import { messageOf } from "../../core/errors.ts";
import type { Build } from "../../core/build.ts";
import { runProgram } from "../setup/run_program.ts";

/**
 * What is being built, from git: the same tree always gives the same. The time is SOURCE_DATE_EPOCH (seconds since
 * 1970) where that is set, else that of the commit. `commit` stands in where there is no git, as in a container.
 */
export async function readBuild(
  folder: string,
  { commit, env }: { readonly commit?: string; readonly env: Readonly<Record<string, string | undefined>> },
): Promise<Build> {
  const epoch = env.SOURCE_DATE_EPOCH || undefined;
  if (epoch !== undefined && !/^\d{1,12}$/.test(epoch)) {
    throw new Error(`Cannot use SOURCE_DATE_EPOCH "${epoch}": expected seconds since 1970`);
  }
  const given = epoch === undefined ? undefined : timeText(Number(epoch));
  if (commit !== undefined) return { commit, time: given ?? null };
  try {
    const git = (...args: string[]) =>
      runProgram(["git", ...args], { timeoutMs: 30_000, cwd: folder, env: { GIT_OPTIONAL_LOCKS: "0" } });
    const [name = "", seconds] = (await git("log", "-1", "--format=%H %ct")).trim().split(" ");
    const isDirty = (await git("status", "--porcelain")).trim() !== "";
    return {
      commit: name.slice(0, 12) + (isDirty ? "-dirty" : ""),
      time: given ?? timeText(Number(seconds)),
    };
  } catch (cause) {
    throw new Error(`Cannot tell the commit: ${messageOf(cause)}; name it with --commit`, { cause });
  }
}

function timeText(seconds: number): string {
  return new Date(seconds * 1000).toISOString().replace(".000Z", "Z");
}
