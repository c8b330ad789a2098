import { FetchError } from "./fetch_error.ts";

const passingStatuses = new Set([429, 502, 503, 504]);
/** What DNS says when it cannot say anything just now. */
const passingDnsCodes = new Set(["EAI_AGAIN", "ESERVFAIL", "ETIMEOUT"]);

/** Longest pause between two attempts. */
export const maxPauseMs = 30_000;

/** Longest pause that a host is granted when it asks for one. */
const maxGrantedMs = 3_600_000;

/** Whether an answer says that the same may work later. */
export function isPassingStatus(status: number): boolean {
  return passingStatuses.has(status);
}

/** Whether a failed attempt may be followed by another one: nobody answered, or the connection broke. */
export function isPassingError(error: unknown): boolean {
  if (!(error instanceof FetchError)) return false;
  if (error.code === "connection") return true;
  if (error.code === "timeout") return !error.sent;
  return error.code === "dns" &&
    passingDnsCodes.has((error.cause as NodeJS.ErrnoException | undefined)?.code ?? "");
}

/** Milliseconds before attempt `attempt` + 1 (from 0): anything up to twice the last limit, so that nobody comes in step. */
export function backoffMs(
  attempt: number,
  { baseMs, random }: { baseMs: number; random: () => number },
): number {
  return Math.ceil(random() * Math.min(maxPauseMs, baseMs * 2 ** attempt));
}

/** Milliseconds that 429 and 503 ask for by Retry-After (seconds or a date), an hour at the most; undefined where none do. */
export function retryAfterMs(
  { status, headers }: { status: number; headers: Headers },
  nowMs: number,
): number | undefined {
  if (status !== 429 && status !== 503) return undefined;
  const text = headers.get("retry-after")?.trim() ?? "";
  const waitMs = /^\d{1,10}$/.test(text) ? Number(text) * 1000 : Date.parse(text) - nowMs;
  return Number.isNaN(waitMs) ? undefined : Math.min(maxGrantedMs, Math.max(0, waitMs));
}
