import { expect } from "expect";
import { chmod, mkdtemp, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ConfigurationError } from "./errors.ts";
import { identify } from "./node.ts";

async function inFolder(work: (folder: string) => Promise<void>): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), "node-"));
  try {
    await work(folder);
  } finally {
    await rm(folder, { recursive: true });
  }
}

Deno.test("an id is made once, kept in a folder of its own, and the same at every start", () =>
  inFolder(async (folder) => {
    const dataDir = join(folder, "deep", "data");
    const first = await identify({ name: "Office", dataDir });
    expect(first).toEqual({
      id: expect.stringMatching(/^hub-[0-9a-f]{12}$/),
      name: "Office",
      version: expect.stringMatching(/^\d+\.\d+\.\d+/),
      dataDir,
    });
    expect((await identify({ name: "Renamed", dataDir })).id).toBe(first.id);
    expect((await stat(dataDir)).mode & 0o777).toBe(0o700);
    expect(await readdir(dataDir)).toEqual(["node.id"]);
    expect(await readFile(join(dataDir, "node.id"), "utf8")).toBe(`${first.id}\n`);
    expect((await stat(join(dataDir, "node.id"))).mode & 0o777).toBe(0o600);
  }));

Deno.test("twenty first starts at once agree on one id", () =>
  inFolder(async (dataDir) => {
    const nodes = await Promise.all(Array.from({ length: 20 }, () => identify({ name: "n", dataDir })));
    expect(new Set(nodes.map(({ id }) => id)).size).toBe(1);
    expect(await readdir(dataDir)).toEqual(["node.id"]);
  }));

Deno.test("a configured id is taken as it is, and nothing is written", () =>
  inFolder(async (dataDir) => {
    expect((await identify({ id: "office", name: "Office", dataDir })).id).toBe("office");
    expect(await readdir(dataDir)).toEqual([]);
  }));

Deno.test("the mode of a folder that is there already is left alone", () =>
  inFolder(async (dataDir) => {
    await chmod(dataDir, 0o750);
    await identify({ name: "n", dataDir });
    expect((await stat(dataDir)).mode & 0o777).toBe(0o750);
  }));

for (const content of ["", "hub-123", "hub-1a2b3c4d5e6f\nmore", "x".repeat(2000)]) {
  Deno.test(`a node.id of ${content.length} characters that is no id is refused, never replaced`, () =>
    inFolder(async (dataDir) => {
      const path = join(dataDir, "node.id");
      await writeFile(path, content);
      const error = await identify({ name: "n", dataDir }).catch((error: unknown) => error);
      expect(error).toBeInstanceOf(ConfigurationError);
      expect((error as ConfigurationError).lines).toEqual([
        expect.stringContaining(`Cannot use the node id in "${path}"`),
      ]);
      expect(await readFile(path, "utf8")).toBe(content);
    }));
}

Deno.test("a file where the data folder should be is refused", () =>
  inFolder(async (folder) => {
    const dataDir = join(folder, "data");
    await writeFile(dataDir, "");
    for (const path of [dataDir, join(dataDir, "below")]) {
      const error = await identify({ name: "n", dataDir: path }).catch((error: unknown) => error);
      expect((error as ConfigurationError).lines).toEqual([
        `Cannot create the data folder "${path}": a file is in the way; set node.data_dir to a folder of your own`,
      ]);
    }
  }));
