import { expect } from "expect";
import fc from "fast-check";
import { compilePattern, isPattern, isSubject, matches, maxSubjectLength } from "./subject.ts";

// Few different tokens, so that random subjects and patterns meet often.
const token = fc.constantFrom("a", "b", "ab", "A", "0", "_", "-", "hub");
const subject = fc.array(token, { minLength: 1, maxLength: 6 }).map((tokens) => tokens.join("."));
const pattern = fc
  .tuple(
    fc.array(fc.oneof(token, fc.constant("*")), { maxLength: 5 }),
    fc.oneof(token, fc.constantFrom("*", ">")),
  )
  .map(([head, last]) => [...head, last].join("."));

/** The definition, token by token. */
function reference(pattern: readonly string[], subject: readonly string[]): boolean {
  const [wanted, ...otherWanted] = pattern;
  const [given, ...otherGiven] = subject;
  if (wanted === undefined || given === undefined) return wanted === given;
  if (wanted === ">") return true;
  return (wanted === "*" || wanted === given) && reference(otherWanted, otherGiven);
}

Deno.test("the matcher agrees with the definition", () => {
  fc.assert(
    fc.property(pattern, subject, (pattern, subject) => {
      expect(compilePattern(pattern)(subject)).toBe(reference(pattern.split("."), subject.split(".")));
    }),
    { numRuns: 5000 },
  );
});

Deno.test("a pattern made from a subject by putting in wildcards matches that subject", () => {
  const starred = fc.array(fc.boolean(), { minLength: 6, maxLength: 6 });
  fc.assert(
    fc.property(subject, starred, fc.nat(), (subject, stars, cut) => {
      const tokens = subject.split(".");
      const withStars = tokens.map((token, index) => stars[index] ? "*" : token);
      expect(matches(withStars.join("."), subject)).toBe(true);
      const head = withStars.slice(0, cut % tokens.length);
      expect(matches([...head, ">"].join("."), subject)).toBe(true);
      expect(matches([...withStars, ">"].join("."), subject)).toBe(false);
    }),
  );
});

Deno.test("every subject is a pattern that matches itself and nothing else", () => {
  fc.assert(
    fc.property(subject, subject, (one, other) => {
      expect(isSubject(one) && isPattern(one)).toBe(true);
      expect(matches(one, other)).toBe(one === other);
    }),
  );
});

const cases: [pattern: string, subject: string, matches: boolean][] = [
  ["hub.*.project.started", "hub.hub-1a2b3c4d5e6f.project.started", true],
  ["hub.*.project.started", "hub.a.b.project.started", false],
  ["hub.>", "hub.a", true],
  ["hub.>", "hub", false],
  ["hub.*.*.>", "hub.presence.demo", false],
  ["hub.*.*.>", "hub.global.project.started", true],
  [">", "a", true],
  [">", "a.b.c", true],
  ["*", "a", true],
  ["*", "a.b", false],
  ["a.*", "a", false],
  ["a", "ab", false],
  ["ab.*", "a.b", false],
];
for (const [pattern, subject, expected] of cases) {
  Deno.test(`"${pattern}" ${expected ? "matches" : "does not match"} "${subject}"`, () => {
    expect(matches(pattern, subject)).toBe(expected);
  });
}

for (const text of ["", ".", "a.", ".a", "a..b", "a b", "a.ä", "a/b", "a\n", "a.\u0000", "a,b", "${a}"]) {
  Deno.test(`${JSON.stringify(text)} is neither subject nor pattern`, () => {
    expect(isSubject(text)).toBe(false);
    expect(isPattern(text)).toBe(false);
  });
}

for (const text of [">.a", "a.>.b", "a*", "*a", "a>", "**", "a.**", "a.>>"]) {
  Deno.test(`"${text}" is no pattern: a wildcard stands alone, and > at the end`, () => {
    expect(isPattern(text)).toBe(false);
    expect(() => compilePattern(text)).toThrow(`Cannot match "${text}"`);
  });
}

Deno.test("wildcards are no subject", () => {
  expect(["*", ">", "a.*", "a.>"].filter(isSubject)).toEqual([]);
});

Deno.test("255 characters are the limit", () => {
  expect(isSubject("a".repeat(maxSubjectLength))).toBe(true);
  expect(isSubject("a".repeat(maxSubjectLength + 1))).toBe(false);
  expect(isPattern("a".repeat(maxSubjectLength + 1))).toBe(false);
});
