import { Buffer } from "node:buffer";
import { generateKeyPairSync, type KeyObject, sign } from "node:crypto";

/** A certificate and its private key, both PEM. */
export interface Identity {
  readonly certificate: string;
  readonly key: string;
}

/** An authority of the test's own, and what it vouches for: a server on 127.0.0.1 and a client. */
export interface Certificates {
  /** The authority's certificate, PEM. */
  readonly ca: string;
  readonly server: Identity;
  readonly client: Identity;
}

interface Issued extends Identity {
  readonly name: string;
  readonly privateKey: KeyObject;
}

/**
 * Makes all three anew; valid for a day. Written out in DER, so that no program beside the tests is needed. The server's
 * is for 127.0.0.1 and `hostname`.
 */
export function makeCertificates({ hostname = "localhost" } = {}): Certificates {
  const authority = issue({ name: "Test authority", hostname, isAuthority: true });
  const server = issue({ name: "127.0.0.1", hostname, issuer: authority });
  const client = issue({ name: "agent", hostname, issuer: authority });
  return { ca: authority.certificate, server, client };
}

function issue(
  { name, hostname, issuer, isAuthority = false }: {
    name: string;
    hostname: string;
    issuer?: Issued;
    isAuthority?: boolean;
  },
): Issued {
  const { privateKey, publicKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const now = Date.now();
  const body = sequence(
    tagged(0xa0, integer(2)), // X.509 version 3
    integer(1 + Math.floor(Math.random() * 2 ** 30)),
    signatureAlgorithm,
    distinguishedName(issuer?.name ?? name),
    sequence(time(now - 3_600_000), time(now + 86_400_000)),
    distinguishedName(name),
    publicKey.export({ type: "spki", format: "der" }),
    tagged(0xa3, sequence(...extensions({ hostname, isAuthority }))),
  );
  const signature = sign("sha256", body, issuer?.privateKey ?? privateKey);
  const certificate = sequence(body, signatureAlgorithm, tagged(0x03, Buffer.from([0]), signature));
  return {
    name,
    privateKey,
    certificate: pem(certificate),
    key: privateKey.export({ type: "pkcs8", format: "pem" }).toString(),
  };
}

function extensions({ hostname, isAuthority }: { hostname: string; isAuthority: boolean }): Buffer[] {
  const basicConstraints = isAuthority ? sequence(tagged(0x01, Buffer.from([0xff]))) : sequence();
  const addresses = sequence(
    tagged(0x87, Buffer.from([127, 0, 0, 1])),
    tagged(0x82, Buffer.from(hostname)),
  );
  return [
    sequence(oid("551d13"), tagged(0x04, basicConstraints)),
    ...(isAuthority ? [] : [sequence(oid("551d11"), tagged(0x04, addresses))]),
  ];
}

/** ecdsa-with-SHA256 */
const signatureAlgorithm = sequence(oid("2a8648ce3d040302"));

function distinguishedName(commonName: string): Buffer {
  return sequence(tagged(0x31, sequence(oid("550403"), tagged(0x0c, Buffer.from(commonName)))));
}

function time(ms: number): Buffer {
  const digits = new Date(ms).toISOString().replaceAll(/[-:T]/g, "").slice(2, 14);
  return tagged(0x17, Buffer.from(`${digits}Z`));
}

function integer(value: number): Buffer {
  const hex = value.toString(16).padStart(2, "0");
  return tagged(0x02, Buffer.from(hex.length % 2 ? `0${hex}` : hex, "hex"));
}

function oid(hex: string): Buffer {
  return tagged(0x06, Buffer.from(hex, "hex"));
}

function sequence(...parts: Buffer[]): Buffer {
  return tagged(0x30, ...parts);
}

function tagged(tag: number, ...parts: Buffer[]): Buffer {
  const content = Buffer.concat(parts);
  const { length } = content;
  const sizes = length < 0x80
    ? [length]
    : length < 0x100
    ? [0x81, length]
    : [0x82, length >> 8, length & 0xff];
  return Buffer.concat([Buffer.from([tag, ...sizes]), content]);
}

function pem(der: Buffer): string {
  const lines = der.toString("base64").replaceAll(/.{64}/g, "$&\n").trimEnd();
  return `-----BEGIN CERTIFICATE-----\n${lines}\n-----END CERTIFICATE-----\n`;
}
