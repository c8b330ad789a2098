import { newId } from "../clock.ts";

const accepted = /^[A-Za-z0-9._-]{1,128}$/;
const traceparentForm = /^(?!ff)[0-9a-f]{2}-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}$/;

/** The caller's correlation id where it is one (a UUID, or up to 128 of `A-Za-z0-9._-`), else a new one. */
export function correlationIdOf(sent: string | null): string {
  return sent !== null && accepted.test(sent) ? sent : newId();
}

/** The caller's W3C trace context as it came; undefined where there is none or it is malformed. */
export function traceparentOf(sent: string | null): string | undefined {
  return sent !== null && traceparentForm.test(sent) ? sent : undefined;
}
