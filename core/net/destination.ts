import { type Address, parseAddress } from "./address_rules.ts";
import { FetchError } from "./fetch_error.ts";
import { plainHostname } from "./destination_list.ts";

/** Whom a URL leads to, before DNS is asked. */
export interface Destination {
  readonly url: URL;
  readonly secure: boolean;
  /** Lower case, without the brackets of IPv6 and the dot of the root. */
  readonly hostname: string;
  readonly port: number;
  /** Where the host is an address itself, in whatever form it was written. */
  readonly literal: Address | undefined;
}

/** Reads a URL as whom it leads to. Throws FetchError `invalid_url`. */
export function destinationOf(url: URL): Destination {
  const refuse = (state: string) => new FetchError("invalid_url", { origin: shownOrigin(url), state });
  if (url.protocol !== "http:" && url.protocol !== "https:") {
    throw refuse("only http and https URLs are fetched");
  }
  if (url.username !== "" || url.password !== "") {
    throw refuse("user and password do not belong into the URL; send an Authorization header");
  }
  const secure = url.protocol === "https:";
  const hostname = plainHostname(url.hostname);
  const port = url.port === "" ? (secure ? 443 : 80) : Number(url.port);
  return { url, secure, hostname, port, literal: parseAddress(hostname) };
}

/** Parses a URL; throws FetchError `invalid_url`, which does not repeat it. */
export function parseUrl(text: string, base?: URL): URL {
  const url = URL.parse(text, base);
  if (url) return url;
  const origin = base ? shownOrigin(base) : "";
  throw new FetchError("invalid_url", { origin, state: "this is no absolute URL such as https://host/path" });
}

/** Scheme, host and port: all of a URL that may stand in logs and errors, since paths hold secrets, too. */
export function shownOrigin(url: URL): string {
  return url.host === "" ? url.protocol : `${url.protocol}//${url.host}`;
}
