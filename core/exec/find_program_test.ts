import { expect } from "expect";
import { chmod, mkdir, mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { getLogger } from "../log.ts";
import { ExecError } from "./exec_error.ts";
import { findProgram, isProgramName } from "./find_program.ts";
import { Programs } from "./programs.ts";
import { execSettings } from "./settings.ts";

async function withFolder(run: (folder: string) => Promise<void>): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), "commandcenter-programs-"));
  try {
    await run(folder);
  } finally {
    await rm(folder, { recursive: true });
  }
}

async function program(path: string, mode = 0o755): Promise<void> {
  await writeFile(path, "#!/bin/sh\n");
  await chmod(path, mode);
}

async function codeOf(work: Promise<string>): Promise<string> {
  const error = await work.then((path) => path, (error) => error);
  if (typeof error === "string") return error;
  if (!(error instanceof ExecError)) throw error;
  return `${error.code}: ${error.message}`;
}

Deno.test("a program is found in the first folder that has it, or where the configuration says", async () => {
  await withFolder(async (folder) => {
    for (const name of ["first", "second", "elsewhere"]) await mkdir(join(folder, name));
    await program(join(folder, "second/tool"));
    await program(join(folder, "elsewhere/tool"));
    await symlink(join(folder, "elsewhere/tool"), join(folder, "first/linked"));
    const path = ["missing", "first", "second"].map((name) => join(folder, name));
    expect(await findProgram("tool", { path, programs: {} })).toBe(join(folder, "second/tool"));
    expect(await findProgram("linked", { path, programs: {} })).toBe(join(folder, "first/linked"));
    const programs = { tool: join(folder, "elsewhere/tool") };
    expect(await findProgram("tool", { path, programs })).toBe(programs.tool);
    expect(await codeOf(findProgram("absent", { path, programs: {} }))).toMatch(
      /^not_found: .*exec\.programs/,
    );
    expect(await codeOf(findProgram("absent", { path, programs: { absent: "/no/such" } }))).toMatch(
      /"\/no\/such"/,
    );
    expect(await codeOf(findProgram("toString", { path, programs: {} }))).toMatch(/^not_found/);
  });
});

Deno.test("what cannot be run, or what anybody could replace, is not started", async () => {
  await withFolder(async (folder) => {
    await chmod(folder, 0o755);
    const places = { path: [folder], programs: {} };
    await program(join(folder, "plain"), 0o644);
    await program(join(folder, "writable"), 0o777);
    await mkdir(join(folder, "directory"));
    expect(await codeOf(findProgram("plain", places))).toMatch(/^not_executable: .*may not be executed/);
    expect(await codeOf(findProgram("writable", places))).toMatch(/^not_executable: .*chmod o-w/);
    expect(await codeOf(findProgram("directory", places))).toMatch(/^not_executable: .*not a file/);
    await mkdir(join(folder, "open"));
    await program(join(folder, "open/tool"));
    await chmod(join(folder, "open"), 0o777);
    await symlink(join(folder, "open/tool"), join(folder, "tool"));
    expect(await codeOf(findProgram("tool", places))).toMatch(/^not_executable: .*chmod o-w/);
  });
});

Deno.test("names of programs hold no path and no option", () => {
  for (const name of ["git", "docker", "g++", "python3.12", "systemd-notify"]) {
    expect(isProgramName(name)).toBe(true);
  }
  for (const name of ["", ".", "..", "a/b", "/bin/sh", "-rf", "a b", "a\0", "a\n", "é", "x".repeat(65)]) {
    expect(isProgramName(name)).toBe(false);
  }
});

Deno.test("a plugin that names a path is not lent anything", () => {
  const programs = new Programs({ settings: execSettings.parse({}), env: {} });
  const asker = { name: "test", signal: AbortSignal.abort(), log: getLogger("test") };
  expect(() => programs.forPlugin({ ...asker, programs: ["git", "/bin/sh"] })).toThrow('names "/bin/sh"');
});

const faulty: Readonly<Record<string, unknown>> = {
  "a relative folder": { path: ["bin"] },
  "a folder with ..": { path: ["/usr/../bin"] },
  "an empty path": { path: [] },
  "a relative program": { programs: { git: "git" } },
  "a program with a path as its name": { programs: { "../git": "/usr/bin/git" } },
  "no concurrency": { concurrency: 0 },
  "an unknown key": { shell: true },
};

for (const [name, settings] of Object.entries(faulty)) {
  Deno.test(`settings are refused: ${name}`, () => {
    expect(execSettings.safeParse(settings).success).toBe(false);
  });
}
