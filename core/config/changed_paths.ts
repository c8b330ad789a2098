import { Secret } from "../secret.ts";
import { type ConfigPath, pathText } from "./config_path.ts";

/**
 * Paths at which two parsed values differ, such as `http.port`; none where they are the same. A list that differs is
 * named as a whole. Secrets are compared, never shown; what cannot be compared counts as different.
 */
export function changedPaths(before: unknown, after: unknown, path: ConfigPath = []): string[] {
  if (isMapping(before) && isMapping(after)) {
    const keys = new Set([...Object.keys(before), ...Object.keys(after)]);
    return [...keys].flatMap((key) => changedPaths(before[key], after[key], [...path, key]));
  }
  return isSame(before, after) ? [] : [pathText(path)];
}

function isSame(before: unknown, after: unknown): boolean {
  if (Object.is(before, after)) return true;
  // A secret has no parts that a general comparison would see: any two would be the same to it.
  if (before instanceof Secret) return after instanceof Secret && before.matches(after.reveal());
  if (Array.isArray(before) && Array.isArray(after)) {
    return before.length === after.length && before.every((each, index) => isSame(each, after[index]));
  }
  if (isMapping(before) && isMapping(after)) return changedPaths(before, after).length === 0;
  if (isPrinted(before) && isPrinted(after)) return printed(before) === printed(after);
  return isCollection(before) && isCollection(after) && before.constructor === after.constructor &&
    isSame([...before], [...after]);
}

function isMapping(value: unknown): value is Readonly<Record<string, unknown>> {
  if (typeof value !== "object" || value === null) return false;
  const prototype = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null;
}

/** Whose text is all that they are. */
function isPrinted(value: unknown): value is Date | RegExp | URL {
  return value instanceof Date || value instanceof RegExp || value instanceof URL;
}

function printed(value: Date | RegExp | URL): string {
  return `${value.constructor.name} ${value instanceof Date ? value.getTime() : value}`;
}

function isCollection(value: unknown): value is Map<unknown, unknown> | Set<unknown> {
  return value instanceof Map || value instanceof Set;
}
