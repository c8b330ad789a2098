import { BlockList, isIP } from "node:net";

/** Whether `address` is one of this machine's loopback addresses, also as an IPv4-mapped IPv6 one. */
export function isLoopback(address: string): boolean {
  return address.startsWith("127.") || address === "::1" || address.startsWith("::ffff:127.");
}

/** Adds an address or CIDR block such as `10.0.0.0/8` to `list`; false where it is neither. */
export function blockOf(text: string, list: BlockList): boolean {
  const [address = "", bits, rest] = text.split("/");
  const version = isIP(address);
  if (version === 0 || rest !== undefined) return false;
  const family = version === 4 ? "ipv4" : "ipv6";
  if (bits === undefined) list.addAddress(address, family);
  else if (/^\d{1,3}$/.test(bits) && Number(bits) <= (version === 4 ? 32 : 128)) {
    list.addSubnet(address, Number(bits), family);
  } else return false;
  return true;
}

/** Tells who really sent a request that came through proxies we trust. */
export class TrustedProxies {
  readonly #list = new BlockList();
  readonly #any: boolean;

  constructor(proxies: readonly string[]) {
    for (const proxy of proxies) blockOf(proxy, this.#list);
    this.#any = proxies.length > 0;
  }

  /** The last address before our own proxies, or the peer where none is trusted or nothing usable was sent. */
  client(peer: string, headers: Headers): string {
    if (!this.#any || !this.#trusts(peer)) return peer;
    const sent = (headers.get("x-forwarded-for") ?? "").split(",").map((text) => text.trim());
    for (const address of sent.reverse()) {
      if (isIP(address) === 0) break;
      if (!this.#trusts(address)) return address;
    }
    return peer;
  }

  #trusts(address: string): boolean {
    const plain = address.startsWith("::ffff:") && isIP(address.slice(7)) === 4 ? address.slice(7) : address;
    const version = isIP(plain);
    return version !== 0 && this.#list.check(plain, version === 4 ? "ipv4" : "ipv6");
  }
}
