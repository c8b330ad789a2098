// C0, DEL and C1 drive a terminal; the bidirectional marks and line separators disguise what is shown.
// deno-lint-ignore no-control-regex -- they are what this is about
const controls = /[\u0000-\u001f\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/g;

/** The text with everything that could drive a terminal written as `\u001b`, which stays valid inside JSON strings. */
export function escapeControls(text: string): string {
  return text.replace(controls, (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, "0")}`);
}

/** Any JSON value as one line for a person: text as it is, null as nothing, the rest as JSON; controls escaped. */
export function oneLine(value: unknown): string {
  if (value === null || value === undefined) return "";
  return escapeControls(typeof value === "string" ? value : JSON.stringify(value));
}
