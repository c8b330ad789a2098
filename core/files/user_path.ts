import { Buffer } from "node:buffer";
import { Problem } from "../errors.ts";

const maxPathBytes = 4096;
const maxNameBytes = 255;
const shownCharacters = 200;

/** Slashes and backslashes of other scripts, which look like ours and which some programs turn into ours. */
const looksLikeSlash = /[\\\u2044\u2215\u2216\u2571\u2572\u29f5\u29f8\u29f9\uff0f\uff3c\ufe68]/u;
/** Controls, and what cannot be seen: bidirectional marks, zero-width characters, variation selectors, fillers. */
const invisible = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}]/u;
const reservedOnWindows = /^(CON|PRN|AUX|NUL|COM[0-9]|LPT[0-9]|CONIN\$|CONOUT\$)\s*(\.|$)/i;

/**
 * The names of a path that somebody gave, from the root down, in NFC; none for the root itself. Throws Problem 400
 * `invalid_path` for a path that could mean something else to another program than to us.
 */
export function parseUserPath(path: string): string[] {
  const refuse = (state: string) =>
    new Problem(400, "invalid_path", { detail: `Cannot use the path ${shownPath(path)}: ${state}` });
  if (typeof path !== "string") throw refuse("it is not text");
  if (!path.isWellFormed()) throw refuse("it holds half a surrogate pair");
  const normal = path.normalize("NFC");
  if (Buffer.byteLength(normal) > maxPathBytes) throw refuse(`it is longer than ${maxPathBytes} bytes`);
  if (normal.startsWith("/")) throw refuse("it has to be relative, without a slash in front");
  if (/^[A-Za-z]:/.test(normal)) throw refuse("it has to be relative, without a drive");
  const names = normal.split("/").filter((name) => name !== "" && name !== ".");
  for (const name of names) {
    const fault = faultOfName(name);
    if (fault !== undefined) throw refuse(fault);
  }
  return names;
}

/** Why a name cannot be one step of a path, or undefined. The name has to be in NFC. */
export function faultOfName(name: string): string | undefined {
  const folded = name.normalize("NFKC");
  if (invisible.test(name)) return "it holds a control or an invisible character";
  if (looksLikeSlash.test(name)) return "it holds a backslash, or a character that looks like a slash";
  if (folded.includes("/") || folded.includes("\\")) return "it holds a character that stands for a slash";
  if (/^\.+$/.test(folded)) return "a part of it is made of dots only";
  if (/[. ]$/.test(name)) return "a part of it ends with a dot or a space";
  if (reservedOnWindows.test(folded)) return "a part of it is a name that Windows reserves for a device";
  if (Buffer.byteLength(name) > maxNameBytes) return `a part of it is longer than ${maxNameBytes} bytes`;
  return undefined;
}

/** A path for an error message: escaped and cut. */
export function shownPath(path: unknown): string {
  const text = String(path);
  const cut = text.length > shownCharacters ? `${text.slice(0, shownCharacters)}…` : text;
  return JSON.stringify(cut).replaceAll(
    /[\p{Cf}\p{Zl}\p{Zp}\x7f-\x9f]/gu,
    (character) => `\\u{${character.codePointAt(0)!.toString(16)}}`,
  );
}
