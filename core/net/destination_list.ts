import { type Address, type AddressBlock, isInBlock, parseBlock } from "./address_rules.ts";

interface Entry {
  /** Lower case, as DNS has it; undefined where the entry names addresses. */
  readonly hostname?: string;
  readonly block?: AddressBlock;
  /** Undefined: every port. */
  readonly port?: number;
}

/** Whom an entry may name, beside its port. */
export interface Place {
  readonly hostname: string;
  readonly port: number;
}

/** The lists `fetch.allow` and `fetch.deny`: names, addresses and blocks, each perhaps with a port. */
export class DestinationList {
  readonly #entries: readonly Entry[];

  /** `entries` have been checked by `isDestination`; others name nobody. */
  constructor(entries: readonly string[]) {
    this.#entries = entries.map(parseEntry).filter((entry) => entry !== undefined);
  }

  /** Whether an entry names this host. */
  hasHost({ hostname, port }: Place): boolean {
    return this.#entries.some((entry) => entry.hostname === hostname && fits(entry, port));
  }

  /** Whether an entry names this address, or a block that holds it. */
  hasAddress(address: Address, port: number): boolean {
    return this.#entries.some(({ block, ...entry }) =>
      block && isInBlock(address, block) && fits(entry, port)
    );
  }

  /** Whether an entry names exactly this port of this host or address. */
  hasPort({ hostname, port }: Place, address: Address | undefined): boolean {
    return this.#entries.some((entry) =>
      entry.port === port &&
      (entry.hostname === hostname || (address && entry.block && isInBlock(address, entry.block)))
    );
  }
}

/** Whether `text` is a host, an address or a block, the first two perhaps with a port. */
export function isDestination(text: string): boolean {
  return parseEntry(text) !== undefined;
}

function fits(entry: Pick<Entry, "port">, port: number): boolean {
  return entry.port === undefined || entry.port === port;
}

function parseEntry(text: string): Entry | undefined {
  const block = parseBlock(text.replace(/^\[(.*)\]$/, "$1"));
  if (block) return { block };
  const match = /^(\[[^\]]+\]|[^\s:/?#@\\[\]]+)(?::(\d{1,5}))?$/.exec(text);
  const url = `http://${match?.[1]}/`;
  const port = match?.[2] === undefined ? undefined : Number(match[2]);
  if (!match || !URL.canParse(url) || (port !== undefined && (port < 1 || port > 65_535))) return undefined;
  const hostname = plainHostname(new URL(url).hostname);
  const address = parseBlock(hostname);
  return { ...(address ? { block: address } : { hostname }), ...(port === undefined ? {} : { port }) };
}

/** The hostname of a URL without the brackets of IPv6 and the dot of the root. */
export function plainHostname(hostname: string): string {
  return hostname.replace(/^\[(.*)\]$/, "$1").replace(/\.$/, "");
}
