import { Problem } from "../../../core/errors.ts";

/** Media types of CloudEvents 1.0 in structured and in batched mode. */
export const cloudEventType = "application/cloudevents+json";
/** A JSON array of them. */
export const cloudEventsType = "application/cloudevents-batch+json";

/** The media type of a body, without parameters. Throws Problem 415 where it is none of `accepted`. */
export function mediaTypeOf<Type extends string>(
  contentType: string | undefined,
  accepted: readonly Type[],
): Type {
  const given = contentType?.replace(/;.*/s, "").trim().toLowerCase();
  const type = accepted.find((each) => each === given);
  if (type !== undefined) return type;
  throw new Problem(415, "unsupported_media_type", {
    detail: `Send the body with one of these as Content-Type: ${accepted.join(", ")}`,
  });
}
