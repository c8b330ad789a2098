import { isIP } from "node:net";
import { isLoopback } from "./address.ts";

export interface HostGuardOptions {
  /** The address we listen on. */
  readonly boundHost: string;
  readonly allowedHosts: readonly string[];
  readonly allowedOrigins: readonly string[];
}

/** The name in a Host header, in lower case, without port and brackets; undefined where it is no host. */
export function hostNameOf(host: string): string | undefined {
  const match = /^(?:\[([0-9a-fA-F:.]+)\]|([A-Za-z0-9._-]+))(?::\d{1,5})?$/.exec(host);
  return (match?.[1] ?? match?.[2])?.toLowerCase();
}

/** Whether a host name can only mean this machine. */
export function isLoopbackName(name: string): boolean {
  return name === "localhost" || (isIP(name) !== 0 && isLoopback(name));
}

/**
 * Keeps foreign web pages out. A page can make its own name resolve to our address (DNS rebinding), but then Host
 * says that name; and it can send us requests from elsewhere, but then Origin says so.
 */
export class HostGuard {
  readonly #names: ReadonlySet<string>;
  readonly #origins: ReadonlySet<string>;
  readonly #anyAddress: boolean;
  #lastAllowed = "";

  constructor({ boundHost, allowedHosts, allowedOrigins }: HostGuardOptions) {
    const names = [boundHost, ...allowedHosts].map((name) => name.replace(/^\[(.*)\]$/, "$1").toLowerCase());
    this.#names = new Set(names);
    this.#origins = new Set(allowedOrigins);
    this.#anyAddress = boundHost === "0.0.0.0" || boundHost === "::";
  }

  /** Whether `host`, as the header has it, is one of ours. Bare addresses cannot be rebound: fine where we listen on all. */
  allowsHost(host: string): boolean {
    if (host === this.#lastAllowed) return true;
    const name = hostNameOf(host);
    if (name === undefined) return false;
    const allowed = this.#names.has(name) || isLoopbackName(name) || (this.#anyAddress && isIP(name) !== 0);
    if (allowed) this.#lastAllowed = host;
    return allowed;
  }

  /** `own`: the page came from us; `listed`: from an origin that is allowed to call us; else `foreign`. */
  judgeOrigin(origin: string, host: string): "own" | "listed" | "foreign" {
    if (this.#origins.has(origin)) return "listed";
    return origin === `http://${host}` || origin === `https://${host}` ? "own" : "foreign";
  }
}
