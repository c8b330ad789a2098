import { Problem } from "../errors.ts";
import { Secret } from "../secret.ts";

/** Largest input and largest result of a job, in characters of JSON. */
export const maxJobTextLength = 256 * 1024;
const maxErrorLength = 2000;
const maxDepth = 100;
const apiKey = /\bcc_([A-Za-z0-9]+)_[A-Za-z0-9_-]{20,}/;

/** The input as it is stored. Throws Problem 422 where it is no JSON or holds a secret, 413 where it is too large. */
export function inputText(name: string, input: unknown): string {
  const refuse = (state: string): never => {
    throw new Problem(422, "invalid_job_input", { detail: `Cannot enqueue "${name}": ${state}` });
  };
  const path = secretPath(input, "input");
  if (path !== undefined) {
    refuse(`${path} is a secret, which would be stored; pass the name under which the job finds it`);
  }
  const text = jsonText(input);
  if (text === undefined) return refuse("the input is no JSON");
  if (apiKey.test(text)) refuse("the input holds an API key, which would be stored");
  if (text.length > maxJobTextLength) {
    throw new Problem(413, "job_input_too_large", {
      detail: `Cannot enqueue "${name}": the input has ${text.length} characters of JSON, allowed are ` +
        `${maxJobTextLength}; store large things elsewhere and pass where they lie`,
    });
  }
  return text;
}

/** The result as it is stored, and what to remark about one that cannot be. Secrets stand in it as `[redacted]`. */
export function resultText(result: unknown): { readonly text: string | null; readonly remark?: string } {
  if (result === undefined) return { text: null };
  const text = jsonText(result);
  if (text === undefined) return { text: null, remark: "The result is no JSON and was not kept" };
  if (text.length <= maxJobTextLength) return { text: withoutCredentials(text) };
  return { text: null, remark: `The result has ${text.length} characters of JSON and was not kept` };
}

/** An error as it is stored: `{"message", "code"}`, bounded, without what looks like a credential. */
export function errorText(error: unknown, code = codeOf(error)): string {
  const message = error instanceof Error ? error.message : String(error);
  return JSON.stringify({ message: shortened(message), code });
}

/** A text of the work (progress, error) as it may be shown. */
export function shortened(text: string): string {
  const safe = withoutCredentials(text.slice(0, 2 * maxErrorLength));
  return safe.length <= maxErrorLength ? safe : `${safe.slice(0, maxErrorLength)}…`;
}

/** Errors repeat what they were given: URLs with passwords, headers, keys of ours. */
function withoutCredentials(text: string): string {
  return text
    .replaceAll(new RegExp(apiKey, "g"), "cc_$1_[redacted]")
    .replaceAll(/\b([a-z][a-z0-9+.-]*:\/\/)[^\s\/@"'\\]*@/gi, "$1[redacted]@")
    .replaceAll(/\b(bearer|basic)\s+[A-Za-z0-9._~+\/=-]{8,}/gi, "$1 [redacted]");
}

function codeOf(error: unknown): string {
  if (error instanceof Problem) return error.code;
  return error instanceof Error ? error.name : "Error";
}

function jsonText(value: unknown): string | undefined {
  try {
    return JSON.stringify(value);
  } catch {
    return undefined; // a cycle or a bigint
  }
}

/** Where a secret lies inside the value; it would be stored as `[redacted]`, and the job fail for it later. */
function secretPath(value: unknown, path: string, depth = 0): string | undefined {
  if (value instanceof Secret) return path;
  if (typeof value !== "object" || value === null || depth > maxDepth) return undefined;
  for (const [key, inner] of Object.entries(value)) {
    const found = secretPath(inner, `${path}.${key}`, depth + 1);
    if (found !== undefined) return found;
  }
  return undefined;
}
