import { BusError } from "./bus.ts";

const token = "[A-Za-z0-9_-]+";
const subjectShape = new RegExp(`^${token}(?:\\.${token})*$`);
const patternShape = new RegExp(`^(?:(?:${token}|\\*)\\.)*(?:${token}|\\*|>)$`);

/** Characters of a subject or pattern at the most. */
export const maxSubjectLength = 255;

/** What the durable stream holds: `hub.<node_id>.<type>` with a type of two tokens or more, so no presence, no query. */
export const eventPattern = "hub.*.*.>";

/** Whether `text` is a subject: dot-separated tokens of `[A-Za-z0-9_-]+`, 255 characters at the most. */
export function isSubject(text: string): boolean {
  return text.length <= maxSubjectLength && subjectShape.test(text);
}

/** Whether `text` is a pattern: a subject in which a token may be `*` (exactly one) and the last `>` (one or more). */
export function isPattern(text: string): boolean {
  return text.length <= maxSubjectLength && patternShape.test(text);
}

/** Whether `subject` matches `pattern`. Throws BusError invalid_subject for what is no pattern. */
export function matches(pattern: string, subject: string): boolean {
  return compilePattern(pattern)(subject);
}

/**
 * The matcher for one pattern, for use on every event; what it is given has to be a subject (`isSubject`).
 * Throws BusError invalid_subject for what is no pattern.
 */
export function compilePattern(pattern: string): (subject: string) => boolean {
  if (!isPattern(pattern)) {
    throw new BusError(
      "invalid_subject",
      `Cannot match "${
        pattern.slice(0, maxSubjectLength)
      }": a pattern has tokens of A-Z, a-z, 0-9, _ and -, ` +
        "with * for one token and > at the end for the rest",
    );
  }
  if (!pattern.includes("*") && !pattern.endsWith(">")) return (subject) => subject === pattern;
  const tokens = pattern.split(".");
  return (subject) => matchesTokens(tokens, subject);
}

/** Walks both in step without splitting the subject: this runs for each event times each stream client. */
function matchesTokens(tokens: readonly string[], subject: string): boolean {
  let start = 0;
  for (const token of tokens) {
    if (start >= subject.length) return false;
    if (token === ">") return true;
    const dot = subject.indexOf(".", start);
    const end = dot === -1 ? subject.length : dot;
    if (token !== "*" && (token.length !== end - start || !subject.startsWith(token, start))) return false;
    start = end + 1;
  }
  return start > subject.length;
}
