import { expect } from "expect";
import fc from "fast-check";
import { escapeControls, oneLine } from "./escape_controls.ts";

Deno.test("what drives a terminal is written out", () => {
  expect(escapeControls("a\u001b[31mred\u0007")).toBe("a\\u001b[31mred\\u0007");
  expect(escapeControls("one\ntwo\r\u009b2J")).toBe("one\\u000atwo\\u000d\\u009b2J");
  expect(escapeControls("safe\u202eexe.txt")).toBe("safe\\u202eexe.txt");
  expect(escapeControls("Grüße 你好 👋🏽")).toBe("Grüße 你好 👋🏽");
});

Deno.test("no control character gets through, whatever the text", () => {
  fc.assert(fc.property(fc.string({ unit: "binary" }), (text) => {
    expect(escapeControls(text)).not.toMatch(/[\p{Cc}\p{Bidi_Control}\u2028\u2029]/u);
  }));
});

Deno.test("escaped JSON is the same JSON", () => {
  fc.assert(fc.property(fc.jsonValue({ stringUnit: "binary" }), (value) => {
    const text = JSON.stringify(value);
    expect(JSON.parse(escapeControls(text))).toEqual(JSON.parse(text));
  }));
});

Deno.test("a value becomes one line", () => {
  expect(oneLine(null)).toBe("");
  expect(oneLine(undefined)).toBe("");
  expect(oneLine(0)).toBe("0");
  expect(oneLine("a\nb")).toBe("a\\u000ab");
  expect(oneLine({ a: ["\u001b"] })).toBe('{"a":["\\u001b"]}');
});
