import { expect } from "expect";
import fc from "fast-check";
import { Buffer } from "node:buffer";
import { gzipSync } from "node:zlib";
import { type LineBatch, lineBatches } from "./import_lines.ts";

async function* chunksOf(bytes: Uint8Array, size: number): AsyncGenerator<Uint8Array> {
  for (let start = 0; start < bytes.length; start += size) yield await bytes.subarray(start, start + size);
}

async function batchesOf(bytes: Uint8Array, size = 1000): Promise<LineBatch[]> {
  return await Array.fromAsync(
    lineBatches({ name: "test", chunks: chunksOf(bytes, size), part: () => undefined }),
  );
}

const text = (batch: LineBatch) => new TextDecoder().decode(batch.bytes);

Deno.test("lines come in order with their numbers, however the bytes arrive, plain or in several gzip members", async () => {
  const line = fc.oneof(
    fc.string({ maxLength: 30 }).map((each) => JSON.stringify(each)),
    fc.constantFrom("", " ", "\r"),
  );
  await fc.assert(
    fc.asyncProperty(
      fc.array(line),
      fc.integer({ min: 1, max: 50 }),
      fc.boolean(),
      async (lines, size, endsOpen) => {
        const bytes = Buffer.from(lines.join("\n") + (endsOpen ? "" : "\n"));
        const expected = lines.flatMap((each, index) => each.trim() === "" ? [] : [[index + 1, each]]);
        const half = bytes.length >> 1;
        const packed = Buffer.concat([gzipSync(bytes.subarray(0, half)), gzipSync(bytes.subarray(half))]);
        for (const source of [bytes, packed]) {
          const found = (await batchesOf(source, size)).flatMap((batch) => {
            const found = text(batch).split("\n").slice(0, -1);
            return batch.numbers.map((number, index) => [number, found[index]]);
          });
          expect(found).toEqual(expected);
        }
      },
    ),
  );
});

Deno.test("a batch holds 1000 lines and 8 MB at the most", async () => {
  const short = Buffer.from('{"a":1}\n'.repeat(2500));
  expect((await batchesOf(short, 64 * 1024)).map(({ numbers }) => numbers.length)).toEqual([1000, 1000, 500]);
  const large = Buffer.from(`${"x".repeat(3_000_000)}\n`.repeat(5));
  const batches = await batchesOf(large, 64 * 1024);
  expect(batches.map(({ numbers }) => numbers)).toEqual([[1, 2], [3, 4], [5]]);
  await expect(batchesOf(Buffer.from("x".repeat(9_000_000)), 64 * 1024)).rejects.toThrow(
    "a line has more than 8 MB",
  );
});

Deno.test("of a source that breaks off, the lines before that come first", async () => {
  const packed = gzipSync(Buffer.from('{"a":1}\n'.repeat(50_000)));
  const batches: LineBatch[] = [];
  const reading = (async () => {
    const source = {
      name: "log.gz",
      chunks: chunksOf(packed.subarray(0, packed.length - 9), 100),
      part: () => undefined,
    };
    for await (const batch of lineBatches(source)) batches.push(batch);
  })();
  await expect(reading).rejects.toThrow('Cannot read "log.gz": unexpected end of file');
  expect(batches.length).toBeGreaterThan(0);
  for (const batch of batches) expect(text(batch)).toBe('{"a":1}\n'.repeat(batch.numbers.length));
});
