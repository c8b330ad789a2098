import { Buffer } from "node:buffer";
import { destinationOf, parseUrl, shownOrigin } from "./destination.ts";
import { FetchError } from "./fetch_error.ts";
import type { RequestDraft } from "./request_draft.ts";

const redirectStatuses = new Set([301, 302, 303, 307, 308]);

/** Headers that another origin may see. All others stay behind: secrets have too many names to list them. */
const publicHeaders = new Set([
  ...[
    "accept",
    "accept-encoding",
    "accept-language",
    "cache-control",
    "content-encoding",
    "content-language",
  ],
  ...["content-type", "if-modified-since", "if-none-match", "range", "user-agent"],
]);

/** Headers that go with the body. */
const bodyHeaders = ["content-encoding", "content-language", "content-location", "content-type"];

/** Whether an answer sends on to another place. */
export function isRedirect(status: number, headers: Headers): boolean {
  return redirectStatuses.has(status) && headers.has("location");
}

/**
 * The request that follows a redirect, by the rules of the Fetch standard. Throws FetchError `invalid_url` or, where
 * it leads from https to http, `bad_redirect`.
 */
export function redirected(
  draft: RequestDraft,
  { status, headers: answered, allowDowngrade }: {
    status: number;
    headers: Headers;
    allowDowngrade: boolean;
  },
): RequestDraft {
  const from = draft.destination;
  // Header values are bytes; what is no ASCII is UTF-8 in practice.
  const location = Buffer.from(answered.get("location")!, "latin1").toString("utf8");
  const url = parseUrl(location, from.url);
  if (url.hash === "") url.hash = from.url.hash;
  const destination = destinationOf(url);
  if (from.secure && !destination.secure && !allowDowngrade) {
    const state = `it sends on to ${shownOrigin(url)}, without encryption (fetch.allow_downgrade)`;
    throw new FetchError("bad_redirect", { origin: shownOrigin(from.url), state, sent: true });
  }
  const headers = new Headers(draft.headers);
  const { method } = draft;
  const becomesGet = status === 303
    ? method !== "GET" && method !== "HEAD"
    : status <= 302 && method === "POST";
  if (becomesGet) bodyHeaders.forEach((name) => headers.delete(name));
  if (url.origin !== from.url.origin) {
    for (const name of [...headers.keys()]) if (!publicHeaders.has(name)) headers.delete(name);
  }
  return {
    destination,
    headers,
    method: becomesGet ? "GET" : method,
    body: becomesGet ? undefined : draft.body,
  };
}
