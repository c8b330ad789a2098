import { expect } from "expect";
import fc from "fast-check";
import { Problem } from "../errors.ts";
import { parseUserPath } from "./user_path.ts";

function refusal(path: unknown): Problem | undefined {
  try {
    parseUserPath(path as string);
    return undefined;
  } catch (error) {
    if (error instanceof Problem) return error;
    throw error;
  }
}

const accepted: readonly [path: string, names: string][] = [
  ["", ""],
  [".", ""],
  ["a", "a"],
  ["a/b.txt", "a|b.txt"],
  ["./a//b/", "a|b"],
  ["..a/b..c/.hidden", "..a|b..c|.hidden"],
  ["%2e%2e%2fetc", "%2e%2e%2fetc"],
  ["-rf", "-rf"],
  ["Wer wartet… was?.pdf", "Wer wartet… was?.pdf"],
  ["cafe\u0301", "caf\u00e9"],
  ["日本語/Ω.md", "日本語|Ω.md"],
  ["console.log/auxiliary/com10", "console.log|auxiliary|com10"],
  ["x".repeat(255), "x".repeat(255)],
];

const refused: Readonly<Record<string, string>> = {
  "an absolute path": "/etc/passwd",
  "two slashes": "//etc/passwd",
  "a parent": "..",
  "a parent in the middle": "a/../../b",
  "a parent at the end": "a/..",
  "three dots": "a/.../b",
  "NUL": "a\0.txt",
  "a line feed": "a\nb",
  "an escape sequence": "a\x1b[2Jb",
  "a C1 control": "a\x85b",
  "a backslash": "a\\..\\b",
  "a drive": "C:/windows",
  "a drive, relative": "c:secret",
  "a share": "\\\\server\\share",
  "full-width dots": "\uff0e\uff0e/b",
  "one-dot leaders": "\u2024\u2024/b",
  "a two-dot leader": "\u2025/b",
  "an ellipsis alone": "\u2026",
  "full-width slash": "..\uff0fb",
  "fraction slash": "a\u2044b",
  "division slash": "a\u2215b",
  "big solidus": "a\u29f8b",
  "box drawings diagonal": "a\u2571b",
  "full-width backslash": "a\uff3cb",
  "small backslash": "a\ufe68b",
  "a character that unfolds to a slash": "a\u2100b",
  "a right-to-left override": "txt.\u202efdp",
  "an isolate": "a\u2066b",
  "zero-width space": "a\u200bb",
  "zero-width joiner": "a\u200db",
  "byte order mark": "\ufeffa",
  "soft hyphen": "a\u00adb",
  "variation selector": "a\ufe0fb",
  "hangul filler": "a\u3164b",
  "a tag character": "a\u{e0041}b",
  "line separator": "a\u2028b",
  "half a surrogate pair": "a\ud800b",
  "a trailing dot": "a./b",
  "a trailing space": "a /b",
  "a device of Windows": "nul",
  "a device of Windows with an ending": "a/Con.txt",
  "a device of Windows, superscript": "com\u00b9",
  "a device of Windows, full-width": "\uff2e\uff35\uff2c",
  "a long name": "x".repeat(256),
  "a long name in bytes": "é".repeat(128),
  "a long path": "abc/".repeat(1025),
};

for (const [path, names] of accepted) {
  Deno.test(`a path that is fine: ${JSON.stringify(path.slice(0, 40))}`, () => {
    expect(parseUserPath(path).join("|")).toBe(names);
  });
}

for (const [name, path] of Object.entries(refused)) {
  Deno.test(`a path that is refused: ${name}`, () => {
    const problem = refusal(path);
    expect(problem?.code).toBe("invalid_path");
    expect(problem!.status).toBe(400);
    expect(problem!.message).toMatch(/^Cannot use the path ".*": .+$/);
    // deno-lint-ignore no-control-regex
    expect(problem!.message).not.toMatch(/[\x00-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2066-\u2069\ufeff]/);
    expect(problem!.message.length).toBeLessThan(1600);
  });
}

Deno.test("what is no text is refused", () => {
  for (const path of [undefined, null, 1, {}, ["a"], { toString: () => ".." }]) {
    expect(refusal(path)?.code).toBe("invalid_path");
  }
});

Deno.test("whatever is given, no step leads up, and the outcome is its own only spelling", () => {
  const piece = fc.constantFrom(
    "..",
    ".",
    "/",
    "\\",
    "a",
    "\0",
    "\uff0e",
    "\u2215",
    "e\u0301",
    " ",
    "~",
    "é",
  );
  const path = fc.oneof(
    fc.array(piece, { maxLength: 8 }).map((pieces) => pieces.join("")),
    fc.string({ unit: "binary" }),
  );
  fc.assert(
    fc.property(path, (text) => {
      const problem = refusal(text);
      if (problem) return problem.code === "invalid_path";
      const names = parseUserPath(text);
      expect(names.some((name) => name === ".." || name === "" || /[/\\\0]/.test(name))).toBe(false);
      expect(parseUserPath(names.join("/"))).toEqual(names);
      return true;
    }),
    { numRuns: 2000 },
  );
});
