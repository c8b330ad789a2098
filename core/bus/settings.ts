import { z } from "zod";
import { secretText } from "../secret.ts";
import { durationMs, sizeBytes } from "../units.ts";

const addressShape = /^(?:nats|tls):\/\/(?:[A-Za-z0-9.-]+|\[[0-9A-Fa-f:.]+\])(?::[0-9]{1,5})?\/?$/;

const streamSettings = z.strictObject({
  name: z.string().regex(/^[A-Za-z0-9_-]{1,64}$/, "expected letters, digits, _ and -, 64 at the most")
    .default("COMMANDCENTER_EVENTS")
    .describe("Name of the JetStream stream; all hosts of one federation share it"),
  max_age: durationMs({ min: 60_000 }).prefault("7d").describe("How long the stream keeps an event"),
  max_bytes: sizeBytes({ min: 1024 * 1024 }).optional()
    .describe("Size at which the stream drops its oldest events; without it the server's own limit counts"),
  replicas: z.int().min(1).max(5).default(1).describe("Copies of the stream in a NATS cluster"),
  duplicate_window: durationMs({ min: 100 }).prefault("2m")
    .describe("How long the same event id is stored only once"),
  storage: z.enum(["file", "memory"]).default("file").describe("Where the server keeps the stream"),
}).refine((stream) => stream.duplicate_window <= stream.max_age, {
  message: "has to be at most max_age",
  path: ["duplicate_window"],
});

const tlsSettings = z.strictObject({
  ca: z.string().min(1).optional()
    .describe("Certificates (PEM) to trust instead of the well-known ones, as in `${file:./ca.pem}`"),
  certificate: z.string().min(1).optional().describe("Certificate (PEM) that this host shows to the server"),
  key: secretText().optional().describe("Private key (PEM) of that certificate"),
}).refine((tls) => (tls.certificate === undefined) === (tls.key === undefined), {
  message: "certificate and key go together",
});

/** The `bus:` section of the configuration. */
export const busSettings = z.strictObject({
  url: z.string().default("memory:").refine(isBusUrl, {
    message:
      'expected "memory:" or "nats://host:4222" (tls://, several with commas; no user or password in it)',
  }).describe("`memory:` (this process only), `nats://host:port` or `tls://host:port`; several with commas"),
  token: secretText().optional().describe("Token for NATS"),
  user: z.string().min(1).optional().describe("User name for NATS"),
  password: secretText().optional().describe("Password for that user"),
  credentials: secretText().optional().describe("Content of a .creds file, as in `${file:./agent.creds}`"),
  nkey: secretText().optional().describe("Seed of an nkey (SU…), as in `${file:./agent.nk}`"),
  tls: tlsSettings.optional().describe("TLS to NATS; `tls://` alone trusts the well-known certificates"),
  stream: streamSettings.prefault({}).describe("The durable stream, created where it does not exist yet"),
})
  .refine((bus) => (bus.user === undefined) === (bus.password === undefined), {
    message: "user and password go together",
  })
  .refine((bus) => [bus.token, bus.user, bus.credentials, bus.nkey].filter(Boolean).length <= 1, {
    message: "give one of token, user and password, credentials, nkey",
  });

/** The `bus:` section, parsed. */
export type BusSettings = z.output<typeof busSettings>;

/** The `bus.stream:` section, parsed; durations in milliseconds, sizes in bytes. */
export type StreamSettings = BusSettings["stream"];

/** The addresses of a `nats://` or `tls://` URL, one by one. */
export function busAddresses(url: string): string[] {
  return url.split(",").map((address) => address.trim());
}

function isBusUrl(url: string): boolean {
  return url === "memory:" || busAddresses(url).every((address) => addressShape.test(address));
}
