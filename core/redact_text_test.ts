import { expect } from "expect";
import fc from "fast-check";
import { redactText } from "./redact_text.ts";

const key = `cc_abc123_${"s".repeat(43)}`;

const cases: readonly [text: string, shown: string][] = [
  [
    "nothing to hide: a@b, x=1, http://host:80/a@b?page=2",
    "nothing to hide: a@b, x=1, http://host:80/a@b?page=2",
  ],
  [`a ${key} b`, "a cc_abc123_[redacted] b"],
  ["postgres://me:hunter2@db/x", "postgres://me:[redacted]@db/x"],
  [
    "at redis://:hunter2@h:1, and nats://a:4222,nats://u:hunter2@b:4222",
    "at redis://:[redacted]@h:1, and nats://a:4222,nats://u:[redacted]@b:4222",
  ],
  ["https://me:hun@ter2@host/", "https://me:[redacted]@host/"],
  ["https://me@host:80/", "https://me@host:80/"],
  ["GET /x?token=hunter2&page=1", "GET /x?token=[redacted]&page=1"],
  ["/x?a=1&Access_Token=hunter2#z", "/x?a=1&Access_Token=[redacted]#z"],
  ["?password=", "?password="],
];

for (const [text, shown] of cases) {
  Deno.test(`redacted: ${text.slice(0, 60)}`, () => expect(redactText(text)).toBe(shown));
}

Deno.test("a JSON line stays one, whatever is in it", () => {
  const piece = fc.constantFrom(
    "http://a:b@c",
    "?token=x",
    "\\",
    '"',
    "\n",
    "@",
    "://",
    ":",
    "&sig=1",
    key,
    "é",
  );
  fc.assert(
    fc.property(fc.array(piece).map((pieces) => pieces.join("")), (text) => {
      expect(() => JSON.parse(redactText(JSON.stringify({ text, other: [text] })))).not.toThrow();
    }),
    { numRuns: 3000 },
  );
});

Deno.test("long text takes no long time", () => {
  const started = performance.now();
  for (const piece of ["a://", "a://b:", "&token", "a", ":@", "http://a:"]) {
    redactText(piece.repeat(50_000) + "@=");
  }
  expect(performance.now() - started).toBeLessThan(2000);
});
