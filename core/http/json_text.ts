import { Problem } from "../errors.ts";

/** Levels of arrays and objects that a JSON body may nest. */
const maxDepth = 64;

const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: false });

/**
 * Decodes a JSON body and refuses what parses but breaks something later: too deep for recursive code, NUL and lone
 * surrogates for the databases. Throws Problem 400. Parsing itself is left to the caller.
 */
export function decodeJson(bytes: Uint8Array): string {
  let text: string;
  try {
    text = decoder.decode(bytes);
  } catch (cause) {
    throw new Problem(400, "invalid_utf8", { detail: "The body is not UTF-8", cause });
  }
  if (isDeeperThan(text, maxDepth)) {
    throw new Problem(400, "json_too_deep", {
      detail: `The body nests deeper than ${maxDepth} levels; flatten it`,
    });
  }
  if (suspicious.test(text)) refuseUnstorable(text);
  return text;
}

/** Counts brackets outside of strings; in text that is no JSON the answer means nothing, and parsing will say so. */
function isDeeperThan(text: string, limit: number): boolean {
  let depth = 0;
  for (let index = 0; index < text.length; index++) {
    const code = text.charCodeAt(index);
    if (code === 34) index = endOfString(text, index + 1);
    else if (code === 123 || code === 91) {
      if (++depth > limit) return true;
    } else if (code === 125 || code === 93) depth--;
  }
  return false;
}

/** Where the quote that ends a string stands; its characters are most of a body, and are searched, not looked at. */
function endOfString(text: string, start: number): number {
  for (let from = start;;) {
    const quote = text.indexOf('"', from);
    if (quote < 0) return text.length;
    let escape = quote;
    while (text.charCodeAt(escape - 1) === 92) escape--; // an even number of backslashes stand for themselves
    if ((quote - escape) % 2 === 0) return quote;
    from = quote + 1;
  }
}

/** Only an escape can bring NUL or half a surrogate pair into valid JSON; most bodies have none of these. */
const suspicious = /\\u(0000|[dD][89a-fA-F])/;

function refuseUnstorable(text: string): void {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return; // whoever parses it for use reports it
  }
  if (holdsUnstorable(value)) {
    throw new Problem(400, "unstorable_text", {
      detail: "The body holds a NUL character or half a surrogate pair, which no database stores; remove it",
    });
  }
}

function holdsUnstorable(value: unknown): boolean {
  if (typeof value === "string") return value.includes("\0") || !value.isWellFormed();
  if (typeof value !== "object" || value === null) return false;
  return Object.entries(value).some(([name, member]) => holdsUnstorable(name) || holdsUnstorable(member));
}
