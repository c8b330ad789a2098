import { Problem } from "../../../core/errors.ts";
import type { Draft } from "../log/draft.ts";

/**
 * The draft, unless its payload came with a number beyond 1.8e308: parsing makes infinity of it, which JSON has no text
 * for, so that `null` would be stored. Throws Problem 422.
 */
export function withFinitePayload(draft: Draft): Draft {
  // Only where the text holds a null there can be anything to look for.
  if (!draft.payload.includes("null") || isExact(draft.envelope.data)) return draft;
  throw new Problem(422, "number_too_large", {
    detail: "The payload holds a number beyond 1.8e308, which cannot be stored as it is; send it as text",
  });
}

function isExact(value: unknown): boolean {
  if (typeof value === "number") return Number.isFinite(value);
  return typeof value !== "object" || value === null || Object.values(value).every(isExact);
}
