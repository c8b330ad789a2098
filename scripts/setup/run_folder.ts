import { join } from "node:path";
import { z } from "zod";
import { runFolderVariable } from "../../tests/support/spawn_child.ts";
import { type Skip, skipFile } from "../../tests/support/test_with.ts";

const skipSchema = z.strictObject({ name: z.string(), reason: z.string() });

/** A temporary folder for one run of the tests; `await using` ends what the tests left running and deletes it. */
export interface RunFolder extends AsyncDisposable {
  readonly path: string;
  /** What to add to the environment of the tests. */
  readonly env: Readonly<Record<string, string>>;
  readonly junitFile: string;
  /** Which tests were skipped for want of a server, and why. */
  skips(): Promise<readonly Skip[]>;
  /** Kills the programs that tests started and did not end; returns a line on each. */
  endLeftovers(): Promise<readonly string[]>;
}

/** Creates the folder of a test run. */
export async function createRunFolder(): Promise<RunFolder> {
  const path = await Deno.makeTempDir({ prefix: "commandcenter-tests-" });
  // Servers that run as another user have their data below.
  await Deno.chmod(path, 0o711);
  const [children, temporary] = [join(path, "children"), join(path, "tmp")];
  await Deno.mkdir(children);
  await Deno.mkdir(temporary);
  await Deno.chmod(temporary, 0o711);
  return {
    path,
    env: { [runFolderVariable]: path, TMPDIR: temporary },
    junitFile: join(path, "junit.xml"),
    skips: () => readSkips(join(path, skipFile)),
    endLeftovers: () => endLeftovers(children),
    async [Symbol.asyncDispose]() {
      await endLeftovers(children);
      await Deno.remove(path, { recursive: true });
    },
  };
}

async function readSkips(file: string): Promise<readonly Skip[]> {
  try {
    const lines = (await Deno.readTextFile(file)).trimEnd().split("\n");
    return lines.map((line) => skipSchema.parse(JSON.parse(line)));
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return [];
    throw error;
  }
}

async function endLeftovers(children: string): Promise<readonly string[]> {
  const ended: string[] = [];
  for await (const { name } of Deno.readDir(children)) {
    const file = join(children, name);
    const command = await Deno.readTextFile(file);
    if (end(Number(name))) ended.push(`a test left ${command} running (pid ${name}); it was killed`);
    await Deno.remove(file);
  }
  return ended;
}

function end(pid: number): boolean {
  try {
    Deno.kill(pid, "SIGKILL");
    return true;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}
