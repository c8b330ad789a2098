import { Problem } from "../../../core/errors.ts";

/** An opaque text for "go on behind this sequence, in this order". */
export function encodeCursor(seq: number, order: "asc" | "desc"): string {
  return btoa(`${order}:${seq}`).replaceAll("=", "");
}

/** The sequence of a cursor. Throws Problem 422 for what is none, or one of the other order. */
export function decodeCursor(cursor: string, order: "asc" | "desc"): number {
  let text = "";
  try {
    text = atob(cursor);
  } catch {
    // Not base64: refused below with everything else that is no cursor.
  }
  const match = /^(asc|desc):(\d{1,16})$/.exec(text);
  if (match && match[1] === order) return Number(match[2]);
  throw new Problem(422, "invalid_cursor", {
    detail:
      "`cursor` is not the `next` of a page of this list in this order; leave it out to start at the beginning",
  });
}
