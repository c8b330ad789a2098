import { expect } from "expect";
import { execFileSync } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ConfigurationError } from "../errors.ts";
import { loadConfiguration } from "./load_config.ts";

async function inFolder(work: (folder: string) => Promise<void>): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), "config-"));
  try {
    await work(folder);
  } finally {
    await rm(folder, { recursive: true });
  }
}

async function linesOf(file: string): Promise<readonly string[]> {
  const error = await loadConfiguration(file, { registry: {}, env: {} }).catch((error: unknown) => error);
  expect(error).toBeInstanceOf(ConfigurationError);
  return (error as ConfigurationError).lines;
}

Deno.test("files are read from the disk, relative paths start from the folder of the configuration", () =>
  inFolder(async (folder) => {
    const file = join(folder, "host.yaml");
    await writeFile(join(folder, "name.txt"), "Büro\n");
    await writeFile(file, "\ufeffnode: { name: '${file:./name.txt}', data_dir: kept }\nplugins:\n");
    const { node } = await loadConfiguration(file, { registry: {}, env: {} });
    expect(node).toEqual({ name: "Büro", dataDir: join(folder, "kept") });
  }));

Deno.test("a file that is missing, a folder, a pipe or too large is refused in one line", () =>
  inFolder(async (folder) => {
    const at = (name: string) => join(folder, name);
    expect(await linesOf(at("none.yaml"))).toEqual([
      `Cannot read "${at("none.yaml")}": no such file; create it, holding at least ` +
      '"plugins: { event-store: {} }", or name another with --config FILE',
    ]);
    expect(await linesOf(folder)).toEqual([`Cannot read "${folder}": it is a folder`]);
    execFileSync("mkfifo", [at("pipe")]);
    expect(await linesOf(at("pipe"))).toEqual([`Cannot read "${at("pipe")}": it is no regular file`]);
    await writeFile(at("large"), new Uint8Array(1024 * 1024 + 1));
    expect(await linesOf(at("large"))).toEqual([`Cannot read "${at("large")}": it is larger than 1024 KB`]);
  }));

Deno.test("a file that ${file:…} names may hold 64 KB of text and no more", () =>
  inFolder(async (folder) => {
    const file = join(folder, "host.yaml");
    await writeFile(join(folder, "fits"), "x".repeat(64 * 1024));
    await writeFile(join(folder, "large"), "x".repeat(64 * 1024 + 1));
    await writeFile(join(folder, "bytes"), Uint8Array.of(0xc3));
    await writeFile(
      file,
      "bus: { token: '${file:fits}', password: '${file:large}', user: '${file:bytes}' }\nplugins:\n",
    );
    expect(await linesOf(file)).toEqual([
      `${file}:1:41 bus.password: cannot read the file "large": it is larger than 64 KB`,
      `${file}:1:64 bus.user: cannot read the file "bytes": it is not UTF-8 text`,
    ]);
  }));
