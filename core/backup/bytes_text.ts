import { Buffer } from "node:buffer";

/** Replacer for `JSON.stringify`: bytes as `\x` and hexadecimal digits, as PostgreSQL writes them. */
export function bytesText(_key: string, value: unknown): unknown {
  return value instanceof Uint8Array ? `\\x${Buffer.from(value).toString("hex")}` : value;
}

/** The bytes of such a text; anything else as it is. */
export function bytesOf<Value>(value: Value): Value | Uint8Array {
  return typeof value === "string" && value.startsWith("\\x") ? Buffer.from(value.slice(2), "hex") : value;
}
