import { type Address, parseAddress, refusalOf } from "./address_rules.ts";
import { badPorts } from "./bad_ports.ts";
import { type Destination, shownOrigin } from "./destination.ts";
import { DestinationList } from "./destination_list.ts";
import { FetchError } from "./fetch_error.ts";

/** Names that mean this machine or a metadata service, whatever DNS says. */
const internalNames = new RegExp(
  "^(?:(?:.+\\.)?localhost|localhost[46]?\\.localdomain[46]?|ip6-(?:localhost|loopback)" +
    "|metadata|metadata\\.(?:google|goog|azure|oraclecloud)(?:\\.(?:internal|com))?" +
    "|instance-data(?:\\.ec2\\.internal)?)$",
);

/** Names that never mean anybody on the internet. */
const privateSuffix =
  /(?:^|\.)(?:internal|intranet|local|localdomain|lan|home|corp|private|home\.arpa|test|invalid)$/;

/** Decides who may be reached: public addresses, and what the configuration names. */
export class Guard {
  readonly #allow: DestinationList;
  readonly #deny: DestinationList;

  constructor({ allow, deny }: { allow: readonly string[]; deny: readonly string[] }) {
    this.#allow = new DestinationList(allow);
    this.#deny = new DestinationList(deny);
  }

  /** Whether the configuration makes an exception of this host or literal address. */
  isException(destination: Destination): boolean {
    const { literal, port } = destination;
    return this.#allow.hasHost(destination) || (literal ? this.#allow.hasAddress(literal, port) : false);
  }

  /** What can be said before DNS is asked. Throws FetchError `blocked_address`. */
  checkDestination(destination: Destination): void {
    const { hostname, port, literal } = destination;
    if (this.#deny.hasHost(destination)) throw blocked(destination, "fetch.deny lists this host");
    if (badPorts.has(port) && !this.#allow.hasPort(destination, literal)) {
      throw blocked(destination, `port ${port} is not for HTTP; ${advice(`${hostname}:${port}`)}`);
    }
    if (internalNames.test(hostname) && !this.#allow.hasHost(destination)) {
      throw blocked(destination, `the name is internal; ${advice(hostname)}`);
    }
    if (literal) this.checkAddress(destination, literal);
  }

  /** Throws FetchError `blocked_address` where the destination must not be reached at this address. */
  checkAddress(destination: Destination, address: Address): void {
    const { port } = destination;
    if (this.#deny.hasAddress(address, port)) throw blocked(destination, "fetch.deny lists its address");
    if (this.#allow.hasAddress(address, port)) return;
    const refusal = refusalOf(address);
    if (!refusal || (refusal.opensByName && this.#allow.hasHost(destination))) return;
    const where = destination.literal ? "it is" : `it leads to ${address}, which is`;
    throw blocked(destination, `${where} ${refusal.what}; ${advice(address.toString())}`);
  }

  /**
   * The addresses of a host, all of which have to be open: one that answers with public and private addresses at once is
   * an attack or a mistake. Throws FetchError `blocked_address`, or `dns` where there are none.
   */
  checkResolved(destination: Destination, resolved: readonly string[]): Address[] {
    const addresses = resolved.map((text) => {
      const address = parseAddress(text);
      if (!address) throw blocked(destination, "it leads to an address with a zone, or to none at all");
      this.checkAddress(destination, address);
      return address;
    });
    if (addresses.length > 0) return addresses;
    const origin = shownOrigin(destination.url);
    throw new FetchError("dns", { origin, state: "the name has no address; check how it is spelt" });
  }

  /** For a name that a proxy will look up: all that can be told is whether the name itself is a private one. */
  checkProxied(destination: Destination): void {
    const { hostname, literal } = destination;
    if (literal || (hostname.includes(".") && !privateSuffix.test(hostname))) return;
    throw blocked(destination, `the name is internal; ${advice(hostname)}`);
  }
}

function advice(entry: string): string {
  return `if that is meant, add "${entry}" to fetch.allow`;
}

function blocked({ url }: Destination, state: string): FetchError {
  return new FetchError("blocked_address", { origin: shownOrigin(url), state });
}
