import { Secret } from "./secret.ts";

/**
 * Throws where `data`, which is about to be stored or sent, holds a Secret: as JSON it would quietly become
 * `[redacted]`. `what` is the beginning of the message, as in `Cannot publish "project.started"`.
 */
export function refuseSecrets(data: unknown, what: string): void {
  if (typeof data !== "object" || data === null) return;
  const place = placeOfSecret(data, new Set());
  if (place === undefined) return;
  const where = place === "" ? "it" : place.slice(1);
  throw new Error(
    `${what}: ${where} is a Secret, which is neither stored nor sent; leave it out, or name where it lies`,
  );
}

/** Path of the first Secret, such as `.items.0.token`; undefined where there is none. */
function placeOfSecret(value: object, above: Set<object>): string | undefined {
  if (value instanceof Secret) return "";
  if (above.has(value) || ArrayBuffer.isView(value)) return undefined; // a circle is for JSON to complain about
  above.add(value);
  const members = value instanceof Map
    ? value.entries()
    : value instanceof Set
    ? [...value].entries()
    : Object.entries(value);
  for (const [name, member] of members) {
    if (typeof member !== "object" || member === null) continue;
    const inside = placeOfSecret(member, above);
    if (inside !== undefined) return `.${name}${inside}`;
  }
  above.delete(value);
  return undefined;
}
