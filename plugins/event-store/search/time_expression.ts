import { parseDuration } from "../../../core/units.ts";

const rfc3339 = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d{1,9})?(Z|[+-]\d{2}:\d{2})$/i;

/** Years of four digits: times are compared as texts. */
const earliestMs = Date.parse("0000-01-01T00:00:00.000Z");
const latestMs = Date.parse("9999-12-31T23:59:59.999Z");

/** RFC 3339 UTC of a time that was given as RFC 3339 or as a span back from now (`15m`, `2h`, `7d`); undefined for anything else. */
export function parseTimeExpression(text: string, nowMs: number): string | undefined {
  const spanMs = parseDuration(text);
  const ms = spanMs !== undefined ? nowMs - spanMs : rfc3339.test(text) ? Date.parse(text) : NaN;
  return ms >= earliestMs && ms <= latestMs ? new Date(ms).toISOString() : undefined;
}
