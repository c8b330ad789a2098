import { expect } from "expect";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import { ExportFile } from "./export_file.ts";

async function withFolder(run: (path: string) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir();
  try {
    await run(join(folder, "log"));
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

const line = (seq: number) => `${JSON.stringify({ id: "x", seq, text: "ü\\n".repeat(seq) })}\n`;
const page = (from: number) => line(from) + line(from + 1);

async function write(
  path: string,
  { gzip, from, to }: { gzip: boolean; from: number; to: number },
): Promise<void> {
  await using file = await ExportFile.open(path, { resume: true, gzip });
  for (let seq = from; seq < to; seq += 2) await file.add(page(seq));
  await file.flush();
}

async function textOf(path: string, gzip: boolean): Promise<string> {
  const bytes = await Deno.readFile(path);
  return gzip ? gunzipSync(bytes).toString() : new TextDecoder().decode(bytes);
}

for (const gzip of [false, true]) {
  Deno.test(`a file cut at any byte is gone on with behind its last complete line (${gzip ? "gzip" : "plain"})`, async () => {
    await withFolder(async (path) => {
      await write(path, { gzip, from: 1, to: 9 });
      const whole = await textOf(path, gzip);
      const bytes = await Deno.readFile(path);
      const seen = new Set<number>();
      for (let size = 0; size <= bytes.length; size++) {
        await Deno.writeFile(path, bytes.subarray(0, size));
        {
          await using file = await ExportFile.open(path, { resume: true, gzip });
          seen.add(file.lastSeq);
          for (let seq = file.lastSeq + 1; seq <= 8; seq++) await file.add(line(seq));
        }
        expect({ size, text: await textOf(path, gzip) }).toEqual({ size, text: whole });
      }
      expect([...seen].toSorted()).toEqual(gzip ? [0, 2, 4, 6, 8] : [0, 1, 2, 3, 4, 5, 6, 7, 8]);
    });
  });
}

Deno.test("an end that was never written, though its length is there, is cut off", async () => {
  await withFolder(async (path) => {
    await write(path, { gzip: true, from: 1, to: 5 });
    const bytes = await Deno.readFile(path);
    await Deno.writeFile(path, bytes.map((byte, index) => index < bytes.length - 20 ? byte : 0));
    {
      await using file = await ExportFile.open(path, { resume: true, gzip: true });
      expect(file.lastSeq).toBe(2);
    }
    const rest = await Deno.readFile(path);
    rest[rest.length - 6]! ^= 1;
    await Deno.writeFile(path, rest);
    await expect(ExportFile.open(path, { resume: true, gzip: true })).rejects.toThrow("it is no export");
    expect(await Deno.readFile(path)).toEqual(rest);
  });
});

Deno.test("lines longer than what is read at once are found", async () => {
  await withFolder(async (path) => {
    const long = (seq: number) => `${JSON.stringify({ id: "x", seq, text: "x".repeat(200_000) })}\n`;
    await Deno.writeTextFile(path, long(7) + long(8) + long(9).slice(0, 150_000));
    await using file = await ExportFile.open(path, { resume: true, gzip: false });
    expect(file.lastSeq).toBe(8);
  });
});

Deno.test("a file that is there is left alone, and what is no export is not gone on with", async () => {
  await withFolder(async (path) => {
    await Deno.writeTextFile(path, "precious\n");
    await expect(ExportFile.open(path, { resume: false, gzip: false })).rejects.toThrow(
      "the file is there already",
    );
    await expect(ExportFile.open(path, { resume: true, gzip: false })).rejects.toThrow("it is no export");
    expect(await Deno.readTextFile(path)).toBe("precious\n");
    const foreign = await new Response(
      new Blob([page(1)]).stream().pipeThrough(new CompressionStream("gzip")),
    ).bytes();
    await Deno.writeFile(path, foreign);
    await expect(ExportFile.open(path, { resume: true, gzip: true })).rejects.toThrow("it is no export");
    expect(await Deno.readFile(path)).toEqual(foreign);
    await expect(ExportFile.open(join(path, "below"), { resume: false, gzip: false })).rejects.toThrow(
      "Cannot export to",
    );
  });
});
