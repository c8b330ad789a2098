import { expect } from "expect";
import { join } from "node:path";
import { runProgram } from "../setup/run_program.ts";
import { readBuild } from "./read_build.ts";

/** A repository with one commit of a known time; none of the user's own settings count. */
async function withRepository(work: (folder: string) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir();
  try {
    const git = (...args: string[]) =>
      runProgram(["git", "-c", "user.name=a", "-c", "user.email=a@example.org", ...args], {
        timeoutMs: 30_000,
        cwd: folder,
        env: { GIT_AUTHOR_DATE: "@1000000000 +0000", GIT_COMMITTER_DATE: "@1000000000 +0000" },
      });
    await git("init", "-q");
    await Deno.writeTextFile(join(folder, "file"), "text");
    await git("add", ".");
    await git("commit", "-q", "-m", "first");
    await work(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

Deno.test("a build is its commit and that commit's time, and says where the tree holds more", () =>
  withRepository(async (folder) => {
    const clean = await readBuild(folder, { env: {} });
    expect(clean).toEqual({ commit: expect.stringMatching(/^[0-9a-f]{12}$/), time: "2001-09-09T01:46:40Z" });
    expect(await readBuild(folder, { env: { SOURCE_DATE_EPOCH: "0" } })).toEqual({
      ...clean,
      time: "1970-01-01T00:00:00Z",
    });
    await Deno.writeTextFile(join(folder, "another"), "text");
    expect(await readBuild(folder, { env: {} })).toEqual({ ...clean, commit: `${clean.commit}-dirty` });
  }));

Deno.test("without git a build is what it is called", async () => {
  const folder = await Deno.makeTempDir();
  try {
    expect(await readBuild(folder, { commit: "v1", env: {} })).toEqual({ commit: "v1", time: null });
    await expect(readBuild(folder, { env: { GIT_DIR: "nowhere" } })).rejects.toThrow("--commit");
    await expect(readBuild(folder, { commit: "v1", env: { SOURCE_DATE_EPOCH: "soon" } })).rejects.toThrow(
      'Cannot use SOURCE_DATE_EPOCH "soon"',
    );
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
