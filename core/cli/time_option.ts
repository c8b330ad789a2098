import { parseDuration } from "../units.ts";
import { CliError, exitCode } from "./cli_error.ts";

/** A time as RFC 3339: as it was given, or so long ago (`15m`, `2h`, `7d`). Throws CliError for anything else. */
export function timeOption(text: string | undefined): string | undefined {
  if (text === undefined) return undefined;
  const agoMs = parseDuration(text);
  const ms = agoMs === undefined ? Date.parse(text) : Date.now() - agoMs;
  const isTime = agoMs !== undefined || /^\d{4}-\d\d-\d\dT.+(Z|[+-]\d\d:\d\d)$/.test(text);
  if (isTime && Number.isFinite(ms) && ms >= 0) return new Date(ms).toISOString();
  throw new CliError(`Cannot understand "${text}": it is no time`, {
    exitCode: exitCode.usage,
    hint: "Write it like 2026-01-31T12:00:00Z, or like 15m, 2h or 7d for so long ago.",
  });
}
