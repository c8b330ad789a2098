import type { Destination } from "./destination.ts";
import { destinationOf, parseUrl, shownOrigin } from "./destination.ts";
import { FetchError } from "./fetch_error.ts";

/** A request before it is known where exactly it goes; its body is held whole, so that it can be sent again. */
export interface RequestDraft {
  readonly destination: Destination;
  readonly method: string;
  readonly headers: Headers;
  readonly body: Uint8Array | undefined;
}

/** What frames a request or is meant for the next hop: ours alone, since a wrong one hides a second request. */
const reservedHeaders = [
  ...[
    "connection",
    "expect",
    "host",
    "http2-settings",
    "keep-alive",
    "proxy-authorization",
    "proxy-connection",
  ],
  ...["te", "trailer", "transfer-encoding", "upgrade"],
];

const idempotentMethods = new Set(["GET", "HEAD", "OPTIONS", "PUT", "DELETE"]);

/** Reads what `fetch` was given. Rejects with FetchError `invalid_url`, `invalid_request` or `too_large`. */
export async function draftRequest(
  input: string | URL | Request,
  init: RequestInit,
  { maxBodyBytes }: { maxBodyBytes: number },
): Promise<RequestDraft> {
  const destination = destinationOf(parseUrl(input instanceof Request ? input.url : String(input)));
  const origin = shownOrigin(destination.url);
  const { signal: _, ...rest } = init; // followed by the call itself
  const unfit = methodFault(init.method ?? (input instanceof Request ? input.method : "GET"), init.body);
  if (unfit) throw new FetchError("invalid_request", { origin, state: unfit });
  let request: Request;
  try {
    request = new Request(input instanceof Request ? input : destination.url, rest);
  } catch (error) {
    throw new FetchError("invalid_request", { origin, state: (error as Error).message, cause: error });
  }
  const headers = new Headers(request.headers);
  const reserved = reservedHeaders.find((name) => headers.has(name));
  if (reserved) {
    const state = `the header "${reserved}" belongs to the connection; leave it out`;
    throw new FetchError("invalid_request", { origin, state });
  }
  headers.delete("content-length"); // counted anew
  const body = await readWhole(request, { origin, maxBodyBytes });
  return { destination, method: request.method, headers, body };
}

/** Whether a second delivery does no harm: the method says so (RFC 9110), or the caller by an Idempotency-Key. */
export function isRepeatable({ method, headers }: RequestDraft): boolean {
  return idempotentMethods.has(method) || headers.has("idempotency-key");
}

/** Every runtime sees to some of it, none to all. */
function methodFault(method: string, body: BodyInit | null | undefined): string | undefined {
  const isToken = /^[A-Za-z0-9!#$%&'*+.^_`|~-]+$/.test(method);
  if (!isToken || /^(?:CONNECT|TRACE|TRACK)$/i.test(method)) return "this method is not for fetch";
  return body && /^(?:GET|HEAD)$/i.test(method) ? `a ${method} has no body` : undefined;
}

async function readWhole(
  { body, method }: Request,
  { origin, maxBodyBytes }: { origin: string; maxBodyBytes: number },
): Promise<Uint8Array | undefined> {
  if (!body) return /^(?:POST|PUT|PATCH)$/.test(method) ? new Uint8Array() : undefined;
  const chunks: Uint8Array[] = [];
  let sizeBytes = 0;
  for await (const chunk of body) {
    sizeBytes += chunk.length;
    if (sizeBytes > maxBodyBytes) {
      const state = `the body to be sent is larger than ${maxBodyBytes} bytes (fetch.max_body)`;
      throw new FetchError("too_large", { origin, state });
    }
    chunks.push(chunk);
  }
  const whole = new Uint8Array(sizeBytes);
  let offset = 0;
  for (const chunk of chunks) {
    whole.set(chunk, offset);
    offset += chunk.length;
  }
  return whole;
}
