import { expect } from "expect";
import { execFileSync } from "node:child_process";
import {
  chmod,
  link,
  mkdir,
  mkdtemp,
  readFile,
  readlink,
  rm,
  stat,
  symlink,
  truncate,
  writeFile,
} from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { ConfigurationError, Problem } from "../errors.ts";
import { openRoot, type PathRoot } from "./path_root.ts";

interface Scene extends AsyncDisposable {
  readonly folder: string;
  readonly root: PathRoot;
  /** The path of something in the root. */
  at(name: string): string;
}

/** A root with a file, a folder and links of every kind, and a secret beside it. */
async function scene(options: { refuseHardLinks?: boolean } = {}): Promise<Scene> {
  const folder = await mkdtemp(join(tmpdir(), "commandcenter-root-"));
  const at = (name: string) => join(folder, "root", name);
  await mkdir(at("sub/deep"), { recursive: true });
  await mkdir(join(folder, "root-of-another"));
  await writeFile(join(folder, "secret"), "hunter2");
  await writeFile(join(folder, "root-of-another/secret"), "hunter2");
  await writeFile(at("file"), "inside");
  await writeFile(at("sub/deep/file"), "deep");
  const links: Readonly<Record<string, string>> = {
    "to-file": "file",
    "to-sub": "sub",
    "absolute": at("sub/deep"),
    "to-root": ".",
    "sub/up": "../file",
    "sub/deep/through": "../../to-sub/deep/file",
    "dangling": "nothing",
    "circle": "circle-back",
    "circle-back": "circle",
    "out": "../secret",
    "out-folder": "..",
    "sub/out-and-in": "../../root/file",
    "out-absolute": "/etc/passwd",
    "out-neighbour": join(folder, "root-of-another"),
    "out-twice": "to-sub/../../secret",
    "out-proc": "/proc/self/root/etc/passwd",
  };
  for (const [name, target] of Object.entries(links)) await symlink(target, at(name));
  const root = await openRoot(join(folder, "root"), options);
  return { folder, root, at, [Symbol.asyncDispose]: () => rm(folder, { recursive: true, force: true }) };
}

async function codeOf(work: Promise<unknown>): Promise<string> {
  const error = await work.then(() => undefined, (error) => error);
  if (error === undefined) return "no error";
  if (!(error instanceof Problem)) throw error;
  expect(error.message).toMatch(/^Cannot \w+ (the path )?".*": .+$/);
  expect(error.message).not.toContain("/root");
  return error.code;
}

function text(root: PathRoot, path: string): Promise<string> {
  return root.readFile(path, { maxBytes: 1000 }).then((bytes) => bytes.toString());
}

Deno.test("files are read through links that stay inside, by whatever way", async () => {
  await using place = await scene();
  const paths: Readonly<Record<string, string>> = {
    "file": "inside",
    "./sub//deep/file": "deep",
    "to-file": "inside",
    "to-sub/deep/file": "deep",
    "absolute/file": "deep",
    "to-root/to-root/file": "inside",
    "sub/up": "inside",
    "to-sub/up": "inside",
    "sub/deep/through": "deep",
  };
  for (const [path, content] of Object.entries(paths)) {
    expect([path, await text(place.root, path)]).toEqual([path, content]);
  }
});

const refusals: Readonly<Record<string, string>> = {
  "../secret": "invalid_path",
  "out": "outside_root",
  "out-folder/secret": "outside_root",
  "sub/out-and-in": "outside_root",
  "out-absolute": "outside_root",
  "out-neighbour/secret": "outside_root",
  "out-twice": "outside_root",
  "out-proc": "outside_root",
  "dangling": "path_not_found",
  "circle": "link_loop",
  "circle/file": "link_loop",
  "nothing": "path_not_found",
  "nothing/file": "path_not_found",
  "file/file": "not_a_folder",
  "sub": "not_a_file",
  "": "not_a_file",
};

for (const [path, code] of Object.entries(refusals)) {
  Deno.test(`reading "${path}": ${code}`, async () => {
    await using place = await scene();
    expect(await codeOf(place.root.readFile(path, { maxBytes: 1000 }))).toBe(code);
    if (code !== "not_a_file" && code !== "not_a_folder") {
      expect(await codeOf(place.root.stat(path))).toBe(code);
    }
  });
}

Deno.test("FIFOs, sockets and devices are refused, at once", async () => {
  await using place = await scene();
  execFileSync("/usr/bin/mkfifo", [place.at("fifo")]);
  await symlink("/dev/zero", place.at("to-device"));
  const server = createServer().listen(place.at("socket"));
  await new Promise((resolve) => server.once("listening", resolve));
  expect(await codeOf(place.root.readFile("fifo", { maxBytes: 10 }))).toBe("not_a_file");
  expect(await codeOf(place.root.readFile("socket", { maxBytes: 10 }))).toBe("not_a_file");
  expect(await codeOf(place.root.readFile("to-device", { maxBytes: 10 }))).toBe("outside_root");
  expect(await codeOf(place.root.writeFile("fifo", "x"))).toBe("not_a_file");
  expect((await place.root.stat("fifo")).kind).toBe("other");
  if (process.getuid?.() === 0) {
    execFileSync("/usr/bin/mknod", [place.at("zero"), "c", "1", "5"]);
    expect(await codeOf(place.root.readFile("zero", { maxBytes: 10 }))).toBe("not_a_file");
  }
  await new Promise((resolve) => server.close(resolve));
});

Deno.test("reading is bounded, also for a file of holes", async () => {
  await using place = await scene();
  expect(await text(place.root, "file")).toBe("inside");
  expect((await place.root.readFile("file", { maxBytes: 6 })).toString()).toBe("inside");
  expect(await codeOf(place.root.readFile("file", { maxBytes: 5 }))).toBe("file_too_large");
  await truncate(place.at("file"), 2 ** 40);
  expect(await codeOf(place.root.readFile("file", { maxBytes: 1000 }))).toBe("file_too_large");
  await writeFile(place.at("file"), "x".repeat(300_000));
  expect(await place.root.readFile("file", { maxBytes: 2 ** 40 }).then((bytes) => bytes.length)).toBe(
    300_000,
  );
});

Deno.test("a file with a second name is refused where the root says so", async () => {
  await using strict = await scene({ refuseHardLinks: true });
  await link(join(strict.folder, "secret"), strict.at("twin"));
  expect(await codeOf(strict.root.readFile("twin", { maxBytes: 100 }))).toBe("hard_linked");
  await using lenient = await scene();
  await link(lenient.at("file"), lenient.at("twin"));
  expect(await text(lenient.root, "twin")).toBe("inside");
});

Deno.test("writing replaces as a whole, never through a link, never another name of the same file", async () => {
  await using place = await scene();
  await link(join(place.folder, "secret"), place.at("twin"));
  await place.root.writeFile("twin", "mine");
  expect(await readFile(join(place.folder, "secret"), "utf8")).toBe("hunter2");
  expect(await text(place.root, "twin")).toBe("mine");
  await place.root.writeFile("sub/new", "one", { mode: 0o644 });
  expect((await stat(place.at("sub/new"))).mode & 0o777).toBe(0o644);
  await place.root.writeFile("to-sub/new", "two", { replace: true });
  expect(await text(place.root, "sub/new")).toBe("two");
  expect((await stat(place.at("sub/new"))).mode & 0o777).toBe(0o600);
  for (const path of ["out", "to-file", "dangling", "circle"]) {
    expect([path, await codeOf(place.root.writeFile(path, "x"))]).toEqual([path, "path_is_link"]);
  }
  expect(await codeOf(place.root.writeFile("out-folder/x", "x"))).toBe("outside_root");
  expect(await codeOf(place.root.writeFile("sub/new", "x", { replace: false }))).toBe("path_exists");
  expect(await codeOf(place.root.writeFile("sub", "x"))).toBe("not_a_file");
  expect(await codeOf(place.root.writeFile("", "x"))).toBe("not_a_file");
  expect(await codeOf(place.root.writeFile("nothing/x", "x"))).toBe("path_not_found");
  await place.root.makeFolder("made");
  await place.root.writeFile("made/x", "x", { replace: false });
  expect(await codeOf(place.root.makeFolder("made"))).toBe("path_exists");
  expect(await codeOf(place.root.makeFolder("dangling"))).toBe("path_exists");
  expect(await codeOf(place.root.makeFolder("out-folder/made"))).toBe("outside_root");
  const { entries } = await place.root.list("sub");
  expect(entries.map(({ name }) => name)).toEqual(["deep", "new", "out-and-in", "up"]); // and no drafts
  expect(await readFile(join(place.folder, "secret"), "utf8")).toBe("hunter2");
});

Deno.test("a list is bounded, follows no links, and counts names that no path may hold", async () => {
  await using place = await scene();
  await writeFile(place.at("sub/evil\u202egpj.exe"), "");
  await writeFile(place.at("sub/cafe\u0301"), "");
  const list = await place.root.list("to-sub");
  expect(list).toEqual({
    entries: [{ name: "deep", kind: "folder" }, { name: "out-and-in", kind: "link" }, {
      name: "up",
      kind: "link",
    }],
    truncated: false,
    refusedNames: 2,
  });
  expect(await place.root.list("sub", { limit: 1 })).toMatchObject({ truncated: true });
  expect(await codeOf(place.root.list("file"))).toBe("not_a_folder");
  expect(await codeOf(place.root.list("out-folder"))).toBe("outside_root");
});

const seesProc = await readlink("/proc/self/cwd").then(() => true, () => false);

Deno.test({
  name: "a folder that is held open stays that folder when another takes its name",
  ignore: !seesProc, // there only its name is held
  fn: holdsFolder,
});

async function holdsFolder(): Promise<void> {
  await using place = await scene();
  await using folder = await place.root.openFolder("to-sub/deep");
  await rm(place.at("sub"), { recursive: true });
  await symlink("..", place.at("sub"));
  expect(folder.realPath).toBe(place.at("sub/deep"));
  const where = execFileSync("/bin/ls", ["-di", "."], { cwd: folder.path, encoding: "utf8" });
  expect(where).not.toContain("secret");
  expect(await codeOf(place.root.openFolder("sub"))).toBe("outside_root");
  expect(await codeOf(place.root.openFolder("file"))).toBe("not_a_folder");
}

Deno.test("what the agent's user may not do is a 403", async () => {
  await using place = await scene();
  await chmod(place.at("file"), 0);
  const code = await codeOf(place.root.readFile("file", { maxBytes: 100 }));
  expect(code).toBe(process.getuid?.() === 0 ? "no error" : "path_forbidden");
});

for (
  const [path, words] of [
    ["relative/path", /absolute/],
    ["/", /whole file system/],
    ["/nothing-here", /create it/],
    ["/etc/passwd", /not a folder/],
  ] as const
) {
  Deno.test(`"${path}" is no root`, async () => {
    const error = await openRoot(path).catch((error) => error);
    expect(error).toBeInstanceOf(ConfigurationError);
    expect(error.message).toMatch(words);
  });
}
