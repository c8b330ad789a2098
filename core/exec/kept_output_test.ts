import { expect } from "expect";
import fc from "fast-check";
import { Buffer } from "node:buffer";
import { KeptOutput } from "./kept_output.ts";
import { LineSplitter, maxLineCharacters } from "./line_splitter.ts";

const chunks = fc.array(
  fc.uint8Array({ maxLength: 40 }).map((bytes) => Buffer.from(bytes.map((byte) => 97 + byte % 26))),
  {
    maxLength: 60,
  },
);

Deno.test("the beginning and the end of any stream are kept, and the rest is counted", () => {
  fc.assert(
    fc.property(chunks, fc.integer({ min: 2, max: 200 }), (parts, maxBytes) => {
      const kept = new KeptOutput(maxBytes);
      for (const part of parts) kept.add(part);
      const all = Buffer.concat(parts).toString();
      if (all.length <= maxBytes) expect(kept.text()).toBe(all);
      else {
        const head = all.slice(0, Math.ceil(maxBytes / 2));
        const tail = all.slice(all.length - Math.floor(maxBytes / 2));
        const missing = all.length - maxBytes;
        expect(kept.text()).toBe(`${head}\n[… ${missing} bytes left out …]\n${tail}`);
        expect(kept.omittedBytes).toBe(missing);
      }
      expect(kept.totalBytes).toBe(all.length);
    }),
  );
});

Deno.test("many small chunks and a few large ones cost little memory and time", () => {
  const kept = new KeptOutput(1000);
  const started = performance.now();
  for (let count = 0; count < 300_000; count++) kept.add(Buffer.from("x"));
  for (let count = 0; count < 200; count++) kept.add(Buffer.alloc(1_000_000, 120));
  expect(kept.totalBytes).toBe(200_300_000);
  expect(kept.text().length).toBeLessThan(1100);
  expect(performance.now() - started).toBeLessThan(5000);
});

Deno.test("lines are the same however the bytes are cut up", () => {
  const piece = fc.constantFrom("a", "ä", "😀", "\n", "\r\n", "\r", "longer text");
  fc.assert(
    fc.property(
      fc.array(piece).map((pieces) => pieces.join("")),
      fc.array(fc.integer({ min: 1, max: 7 })),
      (text, cuts) => {
        const bytes = Buffer.from(text);
        const splitter = new LineSplitter();
        const lines: string[] = [];
        for (let at = 0, turn = 0; at < bytes.length; turn++) {
          const end = at + (cuts[turn % Math.max(cuts.length, 1)] ?? bytes.length);
          lines.push(...[...splitter.split(bytes.subarray(at, end))].map((line) => line.text));
          at = end;
        }
        lines.push(...[...splitter.end()].map((line) => line.text));
        const expected = text.split("\n").map((line) => line.replace(/\r$/, ""));
        if (text === "" || text.endsWith("\n")) expected.pop();
        expect(lines).toEqual(expected);
      },
    ),
    { numRuns: 1000 },
  );
});

Deno.test("a line without an end is cut, and the next one is whole again", () => {
  const splitter = new LineSplitter();
  const lines = [];
  for (let count = 0; count < 100; count++) lines.push(...splitter.split(Buffer.alloc(10_000, 120)));
  lines.push(...splitter.split(Buffer.from("\nnext\n")));
  expect(lines.map(({ text, cut }) => [text.length, cut])).toEqual([[maxLineCharacters, true], [4, false]]);
});
