import { BlockList } from "node:net";
import { z } from "zod";
import { durationMs, sizeBytes } from "../units.ts";
import { blockOf } from "./address.ts";

const hostName = z.string().regex(/^(\[[0-9a-fA-F:.]+\]|[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?)$/, {
  message: "expected a host name or address without port, such as hub.example.org",
});

const origin = z.string().refine((text) => URL.canParse(text) && new URL(text).origin === text, {
  message: "expected an origin such as https://dashboard.example.org, without path or trailing slash",
});

const proxy = z.string().refine((text) => blockOf(text, new BlockList()), {
  message: "expected an address or a block such as 10.0.0.0/8",
});

const rate = (perSecond: number, burst: number) =>
  z.strictObject({
    per_second: z.number().positive().max(1_000_000).default(perSecond).describe(
      "Requests a second in the long run",
    ),
    burst: z.int().min(1).max(10_000_000).default(burst).describe(
      "Requests that may come at once after a pause",
    ),
  }).nullable().prefault({});

const rateLimits = z.strictObject({
  per_key: rate(10_000, 20_000).describe("Limit for one key; null = off"),
  per_address: rate(1000, 2000).describe(
    "Limit for one address on requests without a valid key; addresses of this machine are exempt; null = off",
  ),
  failed_keys_per_minute: z.int().min(0).max(1_000_000).default(20).describe(
    "Wrong keys or tickets from one address before it gets 429; valid keys are never held up by it; 0 = off",
  ),
});

/** The `http:` section of the configuration. */
export const httpSettings = z.strictObject({
  host: z.string().min(1).default("127.0.0.1").describe(
    "Address to listen on; 0.0.0.0 or :: is every one of this machine",
  ),
  port: z.int().min(0).max(65_535).default(9000).describe("Port to listen on; 0 = any free one"),
  allowed_hosts: z.array(hostName).max(100).default([]).describe(
    "Names under which browsers and clients may reach this agent, beside loopback names and `host` (DNS rebinding)",
  ),
  allowed_origins: z.array(origin).max(100).default([]).describe(
    "Origins of web pages that may call this agent from a browser (CORS and WebSocket), beside its own",
  ),
  trusted_proxies: z.array(proxy).max(100).default([]).describe(
    "Addresses or blocks of reverse proxies whose X-Forwarded-For is believed",
  ),
  max_body: sizeBytes({ min: 1024, max: 1024 ** 3 }).prefault("1mb").describe(
    "Largest request body, unless a route says otherwise",
  ),
  request_timeout: durationMs({ min: 10, max: 3_600_000 }).prefault("30s").describe(
    "Longest time until an answer begins; streams may then go on",
  ),
  rate_limits: rateLimits.prefault({}).describe(
    "How many requests are let in; the rest get 429 and Retry-After",
  ),
});

/** The `http:` section, parsed. */
export type HttpSettings = z.output<typeof httpSettings>;
