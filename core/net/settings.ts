import { z } from "zod";
import { secretText } from "../secret.ts";
import { durationMs, sizeBytes } from "../units.ts";
import { isDestination } from "./destination_list.ts";

const destination = z.string().refine(isDestination, {
  message: "expected a host, host:port, an address or a block such as 10.0.0.0/8",
});

const proxySettings = z.strictObject({
  url: z.string().refine(isProxyUrl, {
    message: 'expected "http://host:port", without user and password',
  }).describe("Address of the proxy, such as `http://proxy.example.org:3128`"),
  user: z.string().min(1).regex(/^[^:\p{Cc}]+$/u, "must have no colon").optional()
    .describe("User name for the proxy"),
  password: secretText().optional().describe("Password for that user"),
}).refine((proxy) => (proxy.user === undefined) === (proxy.password === undefined), {
  message: "user and password go together",
});

const perHost = z.strictObject({
  concurrency: z.int().min(1).max(1000).default(4).describe("Requests under way to one host and port"),
  delay: durationMs({ max: 60_000 }).prefault("0ms").describe("Least time between the starts of two of them"),
  waiting: z.int().min(1).max(1_000_000).default(1000)
    .describe("Requests that may wait for one host and port; the next fails"),
});

/** The `fetch:` section of the configuration. */
export const fetchSettings = z.strictObject({
  allow: z.array(destination).max(1000).default([]).describe(
    "Internal services that may be reached, beside public addresses: host, host:port, address or block",
  ),
  deny: z.array(destination).max(1000).default([]).describe("What is never reached, written the same way"),
  allow_downgrade: z.boolean().default(false).describe("Whether a redirect may lead from https to http"),
  proxy: proxySettings.optional().describe("HTTP proxy for everything that is not in `allow`"),
  ca: z.string().min(1).optional().describe(
    "Certificates (PEM) to trust beside the well-known ones, as in `${file:./ca.pem}`",
  ),
  contact: z.string().max(200).regex(/^[\x21-\x7e]+$/, "expected a URL or mail address").optional().describe(
    "URL or mail address in the User-Agent, so that operators of other sites can ask you",
  ),
  connect_timeout: durationMs({ min: 10, max: 600_000 }).prefault("10s").describe(
    "Longest time for DNS, and for one connection including TLS",
  ),
  idle_timeout: durationMs({ min: 10, max: 3_600_000 }).prefault("30s").describe(
    "Longest time until the answer begins, and longest silence within it",
  ),
  timeout: durationMs({ min: 10, max: 86_400_000 }).prefault("5m").describe(
    "Longest time for a request with all its redirects and retries, not counting waits between them",
  ),
  max_header: sizeBytes({ min: 1024, max: 1024 ** 2 }).prefault("64kb").describe(
    "Largest header of an answer",
  ),
  max_body: sizeBytes({ min: 1024, max: 16 * 1024 ** 3 }).prefault("64mb").describe(
    "Largest body, sent or received, before and after unpacking",
  ),
  max_redirects: z.int().min(0).max(20).default(5).describe("Redirects that are followed"),
  retries: z.int().min(0).max(10).default(2).describe(
    "Further attempts where it is safe: nobody answered, 429, 502, 503, 504",
  ),
  retry_delay: durationMs({ min: 1, max: 60_000 }).prefault("500ms").describe(
    "Longest pause before the first of them; doubled for each further one, 30 s at the most",
  ),
  concurrency: z.int().min(1).max(10_000).default(64).describe("Requests under way at once, to all hosts"),
  per_host: perHost.prefault({}).describe("Politeness"),
});

/** The `fetch:` section, parsed; durations in milliseconds, sizes in bytes. */
export type FetchSettings = z.output<typeof fetchSettings>;

/** The `fetch.proxy:` section, parsed. */
export type ProxySettings = NonNullable<FetchSettings["proxy"]>;

function isProxyUrl(text: string): boolean {
  const url = URL.parse(text);
  return url !== null && url.protocol === "http:" && url.username === "" && url.password === "" &&
    url.pathname === "/" && url.search === "" && url.hash === "";
}
