/** What a browser may do with an answer that is data: nothing, and show it in no frame. */
const dataPolicy = "default-src 'none'; frame-ancestors 'none'";

export interface StandardHeaderOptions {
  readonly correlationId: string;
  /** Origin of a foreign page that may read the answer. */
  readonly listedOrigin: string | undefined;
  /** Set where the route answers with JSON and nothing else. */
  readonly route: { readonly dataOnly: boolean } | undefined;
}

/**
 * Adds the headers that every answer has. Where the route may answer with something to show, its handler's own
 * `content-security-policy` and `cache-control` stay.
 */
export function withStandardHeaders(response: Response, options: StandardHeaderOptions): Response {
  try {
    addHeaders(response.headers, options);
    return response;
  } catch (error) {
    if (!(error instanceof TypeError)) throw error;
    const own = new Response(response.body, response); // headers of a fetched response or a redirect are read-only
    addHeaders(own.headers, options);
    return own;
  }
}

function addHeaders(headers: Headers, { correlationId, listedOrigin, route }: StandardHeaderOptions): void {
  headers.append("x-correlation-id", correlationId); // append is quicker than set
  headers.append("x-content-type-options", "nosniff");
  if (route?.dataOnly) {
    // Nearly all requests come here, and a header costs 0.4 µs, asking for one 0.1: `frame-ancestors` makes
    // X-Frame-Options void, and data that is shown to nobody sends no referrer.
    headers.append("content-security-policy", dataPolicy);
    headers.set("cache-control", "no-store");
  } else {
    if (!headers.has("content-security-policy")) headers.append("content-security-policy", dataPolicy);
    if (!headers.has("cache-control")) headers.append("cache-control", "no-store");
    headers.append("x-frame-options", "DENY");
    headers.append("referrer-policy", "no-referrer");
  }
  if (listedOrigin === undefined) return;
  headers.set("access-control-allow-origin", listedOrigin);
  headers.set("access-control-expose-headers", "x-correlation-id, retry-after, location");
  headers.append("vary", "origin");
}

/** The answer to a browser that asks whether a page of an allowed origin may send its request. */
export function preflightResponse(): Response {
  return new Response(null, {
    status: 204,
    headers: {
      "access-control-allow-methods": "GET, HEAD, POST, PUT, PATCH, DELETE",
      "access-control-allow-headers":
        "authorization, x-api-key, content-type, x-correlation-id, traceparent, last-event-id",
      "access-control-max-age": "600",
    },
  });
}
