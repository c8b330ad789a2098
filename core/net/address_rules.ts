import ipaddr from "ipaddr.js";
import { isIP } from "node:net";

/** An IPv4 or IPv6 address; an IPv4-mapped one (`::ffff:1.2.3.4`) counts as the IPv4 address in it. */
export type Address = ipaddr.IPv4 | ipaddr.IPv6;

/** A block of addresses: its first one, and the length of its prefix in bits. */
export type AddressBlock = readonly [Address, number];

/** Why an address is refused. */
export interface AddressRefusal {
  /** Completes "it is …". */
  readonly what: string;
  /** Whether an exception that names a host opens it; the others take one that names the address. */
  readonly opensByName: boolean;
}

/** The address that `text` writes out in full, or undefined; no zone ids, no decimal, octal or short forms. */
export function parseAddress(text: string): Address | undefined {
  const written = parseWritten(text);
  return written && unmapped(written);
}

/** The block that `10.0.0.0/8`, `fd00::/8` or a single address means, or undefined. */
export function parseBlock(text: string): AddressBlock | undefined {
  const [first = "", bits, rest] = text.split("/");
  const written = parseWritten(first);
  if (!written || rest !== undefined || (bits !== undefined && !/^\d{1,3}$/.test(bits))) return undefined;
  const address = unmapped(written);
  const cut = written.kind() === address.kind() ? 0 : 96; // a mapped block counts as the IPv4 block in it
  const longest = address.kind() === "ipv4" ? 32 : 128;
  const length = bits === undefined ? longest : Number(bits) - cut;
  return length >= 0 && length <= longest ? [address, length] : undefined;
}

function parseWritten(text: string): Address | undefined {
  const version = isIP(text);
  if (version === 0 || text.includes("%")) return undefined;
  // The library takes ::1.2.3.4 for a mapped address, which it is not; in hexadecimal it cannot.
  const plain = version === 4 ? text : URL.parse(`http://[${text}]`)?.hostname.slice(1, -1);
  return plain === undefined ? undefined : ipaddr.parse(plain);
}

function unmapped(address: Address): Address {
  return address instanceof ipaddr.IPv6 && address.isIPv4MappedAddress() ? address.toIPv4Address() : address;
}

/** Whether the block holds the address. */
export function isInBlock(address: Address, [first, bits]: AddressBlock): boolean {
  return address.kind() === first.kind() && address.match(first, bits);
}

/** Why nobody may be sent to this address without an exception; undefined for public addresses. */
export function refusalOf(address: Address): AddressRefusal | undefined {
  const listed = refused.find(({ block }) => isInBlock(address, block));
  if (listed) return listed;
  if (address.kind() === "ipv4") return undefined;
  if (isInBlock(address, nat64)) return refusalOfEmbedded(address);
  // IPv6 the other way round: what is not known to be public is not. That takes in the compatible (::1.2.3.4), translated
  // and site-local forms, and whatever gets a meaning later.
  return isInBlock(address, globalUnicast) ? undefined : { what: "a reserved address", opensByName: false };
}

/** Behind a NAT64 gateway of the well-known prefix, the last 32 bits are who is really reached. */
function refusalOfEmbedded(address: Address): AddressRefusal | undefined {
  const inner = refusalOf(ipaddr.fromByteArray(address.toByteArray().slice(12)));
  return inner && { what: `${inner.what} behind NAT64`, opensByName: false };
}

interface Refused extends AddressRefusal {
  readonly block: AddressBlock;
}

function row(blocks: string, what: string, { opensByName = false } = {}): Refused[] {
  return blocks.split(" ").map((text) => ({ block: parseBlock(text)!, what, opensByName }));
}

const nat64 = parseBlock("64:ff9b::/96")!;
const globalUnicast = parseBlock("2000::/3")!;

/** The first that fits counts. After the special-purpose registries of IANA (RFC 6890 and its successors). */
const refused: readonly Refused[] = [
  ...row(
    "169.254.169.254 169.254.170.0/24 100.100.100.200 168.63.129.16 fd00:ec2::/32 fd20:ce::254",
    "a metadata service",
  ),
  ...row("127.0.0.0/8 ::1", "loopback", { opensByName: true }),
  ...row("10.0.0.0/8 172.16.0.0/12 192.168.0.0/16", "a private address", { opensByName: true }),
  ...row("100.64.0.0/10", "a carrier-grade NAT address", { opensByName: true }),
  ...row("fc00::/7", "a unique local address", { opensByName: true }),
  ...row("0.0.0.0/8 ::", "an unspecified address"),
  ...row("169.254.0.0/16 fe80::/10", "a link-local address"),
  ...row("224.0.0.0/4 ff00::/8", "a multicast address"),
  ...row("198.18.0.0/15", "a benchmarking address"),
  ...row("192.0.2.0/24 198.51.100.0/24 203.0.113.0/24 2001:db8::/32 3fff::/20", "a documentation address"),
  ...row("192.0.0.0/24 192.52.193.0/24 192.88.99.0/24 240.0.0.0/4", "a reserved address"),
  // These carry an IPv4 address inside and are no longer in use: there is no honest reason to go there.
  ...row("2002::/16", "a 6to4 address"),
  ...row("2001::/32", "a Teredo address"),
  ...row("2001::/23", "a reserved address"),
  ...row("64:ff9b:1::/48", "a local NAT64 address"),
];
