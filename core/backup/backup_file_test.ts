import { expect } from "expect";
import fc from "fast-check";
import { Buffer } from "node:buffer";
import { join } from "node:path";
import { BackupFile } from "./backup_file.ts";
import { type BackupManifest, configurationPath } from "./backup_manifest.ts";
import { BackupWriter } from "./backup_writer.ts";
import { readTarHeader, writeTarHeader } from "./tar_header.ts";

const manifest: Omit<BackupManifest, "parts"> = {
  format: "commandcenter-backup",
  format_version: 1,
  program_version: "0.1.0",
  created_at: "2026-01-01T00:00:00.000Z",
  node: { id: "hub-1a2b3c4d5e6f", name: "test" },
  node_id_kept: true,
  storage: "sqlite",
  keys: true,
  owners: [],
  tables: [{ name: "demo_row", rows: 3, byte_columns: [] }],
  left_out: [],
  summaries: {},
  faults: [],
};

async function* threeRows() {
  yield ['{"a":1}', '{"a":"€"}'];
  yield ['{"a":null}'];
  await Promise.resolve();
}

interface Sample extends AsyncDisposable {
  readonly folder: string;
  readonly path: string;
}

async function writeSample(changes: Partial<typeof manifest> = {}): Promise<Sample> {
  const folder = await Deno.makeTempDir();
  const path = join(folder, "backup.tar");
  await using writer = await BackupWriter.open(path);
  await writer.add(configurationPath, Buffer.from("plugins: {}\n"));
  expect(await writer.addTable("demo_row", threeRows(), () => {})).toBe(3);
  await writer.close({ ...manifest, faults: ["replaced by the next one"] });
  await writer.close({ ...manifest, ...changes });
  expect(await writer.publish()).toBe(true);
  return { folder, path, [Symbol.asyncDispose]: () => Deno.remove(folder, { recursive: true }) };
}

/** All that a reader gets to see of a backup; rejects where it is not whole. */
async function readAll(path: string): Promise<unknown> {
  await using file = await BackupFile.open(path);
  await file.checkSums(() => {});
  const rows = [];
  for await (const row of file.rows("demo_row")) rows.push(row);
  return { manifest: file.manifest, rows };
}

Deno.test("what was written is read again, and only its owner may", async () => {
  await using sample = await writeSample();
  expect(await readAll(sample.path)).toMatchObject({ manifest, rows: [{ a: 1 }, { a: "€" }, { a: null }] });
  expect([...Deno.readDirSync(sample.folder)].map(({ name }) => name)).toEqual(["backup.tar"]);
  expect((await Deno.stat(sample.path)).mode! & 0o777).toBe(0o600);
});

Deno.test("other programs read it: tar lists and unpacks it, sha256sum agrees", async () => {
  await using sample = await writeSample();
  const run = async (program: string, ...args: string[]) => {
    const { stdout, stderr, code } = await new Deno.Command(program, { args, cwd: sample.folder }).output();
    expect({ code, stderr: new TextDecoder().decode(stderr) }).toEqual({ code: 0, stderr: "" });
    return new TextDecoder().decode(stdout);
  };
  expect((await run("tar", "tf", "backup.tar")).split("\n")).toEqual(
    ["projects.yaml", "tables/demo_row/00000001.ndjson.gz", "manifest.json", "SHA256SUMS", ""],
  );
  await run("tar", "xf", "backup.tar");
  await run("sha256sum", "--check", "--quiet", "SHA256SUMS");
});

Deno.test("no flipped byte goes unnoticed, wherever it is, and neither does a lost or added end", async () => {
  await using sample = await writeSample();
  const whole = await Deno.readFile(sample.path);
  const damaged = join(sample.folder, "damaged.tar");
  const refused = async (bytes: Uint8Array) => {
    await Deno.writeFile(damaged, bytes);
    await expect(readAll(damaged)).rejects.toThrow(/Cannot use the backup/);
  };
  await fc.assert(
    fc.asyncProperty(fc.nat(whole.length - 1), fc.integer({ min: 1, max: 255 }), async (place, change) => {
      const bytes = whole.slice();
      bytes[place] = bytes[place]! ^ change;
      await refused(bytes);
    }),
    { numRuns: 400 },
  );
  await fc.assert(
    fc.asyncProperty(fc.nat(whole.length - 1), (length) => refused(whole.slice(0, length))),
    { numRuns: 100 },
  );
  await refused(new Uint8Array([...whole, 0]));
  await refused(new TextEncoder().encode("not a tar file at all"));
});

Deno.test("a part that was exchanged together with its place in the list does not fit the sums", async () => {
  await using sample = await writeSample();
  const whole = Buffer.from(await Deno.readFile(sample.path));
  const forged = Buffer.from(whole);
  forged.write("plugins: []\n", whole.indexOf("plugins: {}\n"));
  await Deno.writeFile(sample.path, forged);
  await expect(readAll(sample.path)).rejects.toThrow("projects.yaml was changed");
});

Deno.test("a newer format is named, and not read", async () => {
  await using sample = await writeSample({ format_version: 2 });
  await expect(readAll(sample.path)).rejects.toThrow(
    /its format is version 2, and this program knows up to 1/,
  );
});

Deno.test("a file that appeared meanwhile is not overwritten", async () => {
  await using sample = await writeSample();
  await using writer = await BackupWriter.open(sample.path);
  await writer.close(manifest);
  expect(await writer.publish()).toBe(false);
  expect(await readAll(sample.path)).toMatchObject({ rows: [{ a: 1 }, { a: "€" }, { a: null }] });
});

Deno.test("rows that cannot be read leave no file behind", async () => {
  const folder = await Deno.makeTempDir();
  try {
    const failing = async function* () {
      yield ['{"a":1}'];
      await Promise.reject(new Error("the disk is gone"));
    };
    const write = async () => {
      await using writer = await BackupWriter.open(join(folder, "backup.tar"));
      await writer.addTable("demo_row", failing(), () => {});
    };
    await expect(write()).rejects.toThrow("the disk is gone");
    expect([...Deno.readDirSync(folder)]).toEqual([]);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("a header survives the way there and back, and no other block is taken for one", () => {
  const header = {
    path: "tables/a/00000001.ndjson.gz",
    sizeBytes: 123_456,
    modified: new Date(1_800_000_000_000),
  };
  expect(readTarHeader(writeTarHeader(header))).toEqual(header);
  expect(readTarHeader(Buffer.alloc(512))).toBeUndefined();
});
