import { z } from "zod";

const millisecondsPer: Readonly<Record<string, number>> = {
  ms: 1,
  s: 1000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
};

const bytesPer: Readonly<Record<string, number>> = {
  b: 1,
  kb: 1024,
  mb: 1024 ** 2,
  gb: 1024 ** 3,
  tb: 1024 ** 4,
};

/** Milliseconds of `500ms`, `15s`, `2h`, `7d`, or undefined where it is no duration. */
export function parseDuration(text: string): number | undefined {
  const match = /^(\d{1,12}(?:\.\d{1,3})?)(ms|s|m|h|d)$/.exec(text.trim());
  return match ? Number(match[1]) * millisecondsPer[match[2]!]! : undefined;
}

/** Bytes of `512kb`, `8mb`, `1gb` (powers of 1024), or undefined where it is no size. */
export function parseSize(text: string): number | undefined {
  const match = /^(\d{1,12}(?:\.\d{1,3})?)\s?(b|kb|mb|gb|tb)$/i.exec(text.trim());
  return match ? Math.floor(Number(match[1]) * bytesPer[match[2]!.toLowerCase()]!) : undefined;
}

interface Range {
  readonly min?: number;
  readonly max?: number;
}

function measure(
  parse: (text: string) => number | undefined,
  example: string,
  range: Range,
): z.ZodType<number, string> {
  const expected = `expected something like ${example}`;
  // A bare 30 lacks its unit, which quotes would not give it; what is missing is said in the words of the caller.
  const error = ({ input }: { input?: unknown }) => input === undefined ? undefined : expected;
  return z.string({ error }).transform((text, context) => {
    const value = parse(text);
    if (value === undefined) {
      context.addIssue({ code: "custom", message: `${expected}, got "${text}"` });
      return z.NEVER;
    }
    if (value < (range.min ?? 0) || value > (range.max ?? Number.MAX_SAFE_INTEGER)) {
      context.addIssue({ code: "custom", message: `"${text}" is out of range` });
      return z.NEVER;
    }
    return value;
  });
}

/** Schema of a configured duration such as `15s` or `7d`; milliseconds out. `range` in milliseconds. */
export function durationMs(range: Range = {}): z.ZodType<number, string> {
  return measure(parseDuration, "500ms, 15s, 5m, 2h or 7d", range);
}

/** Schema of a configured size such as `512kb` or `8mb`; bytes out. `range` in bytes. */
export function sizeBytes(range: Range = {}): z.ZodType<number, string> {
  return measure(parseSize, "512kb, 8mb or 1gb", range);
}
