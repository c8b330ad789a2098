import { Problem } from "../errors.ts";
import { isLoopback } from "./address.ts";
import { hostNameOf, isLoopbackName } from "./host_guard.ts";
import type { KeyRing } from "./key_ring.ts";
import type { Policy } from "./policy.ts";
import { holdsScope, type Principal, type Scope } from "./principal.ts";
import { RateLimiter } from "./rate_limiter.ts";
import type { HttpSettings } from "./settings.ts";
import type { TicketBox } from "./ticket_box.ts";

/** What the decision about one request rests on. */
export interface Caller {
  readonly headers: Headers;
  readonly url: string;
  readonly remoteAddress: string;
  readonly nowMs: number;
}

type Decision = Principal | undefined;

/** Headers with which a proxy says for whom it speaks: such a peer is on this machine, its client need not be. */
const forwardingHeaders = [
  "forwarded",
  "x-forwarded-for",
  "x-forwarded-host",
  "x-forwarded-proto",
  "x-real-ip",
];

/** Decides who calls and whether they may. */
export class Authenticator {
  readonly #keys: KeyRing;
  readonly #tickets: TicketBox;
  readonly #perKey: RateLimiter | undefined;
  readonly #perAddress: RateLimiter | undefined;
  readonly #failures: RateLimiter | undefined;

  constructor(
    { keys, tickets, limits }: { keys: KeyRing; tickets: TicketBox; limits: HttpSettings["rate_limits"] },
  ) {
    this.#keys = keys;
    this.#tickets = tickets;
    const { per_key: key, per_address: address, failed_keys_per_minute: failures } = limits;
    this.#perKey = key ? new RateLimiter({ perSecond: key.per_second, burst: key.burst }) : undefined;
    this.#perAddress = address
      ? new RateLimiter({ perSecond: address.per_second, burst: address.burst })
      : undefined;
    this.#failures = failures > 0
      ? new RateLimiter({ perSecond: failures / 60, burst: failures })
      : undefined;
  }

  /** Counts a request that needs no key. Throws Problem 429. */
  admitAnonymous({ remoteAddress, nowMs }: Caller): void {
    if (this.#perAddress && !isLoopback(remoteAddress)) limit(this.#perAddress, remoteAddress, nowMs);
  }

  /**
   * The principal, or undefined where the policy lets a caller in without a key. Throws, or rejects with, Problem 401,
   * 403, 429 or 503; a promise only where the database had to be asked. Without a policy any valid key will do.
   */
  decide(caller: Caller, policy: Policy | undefined): Decision | Promise<Decision> {
    const text = keyIn(caller.headers);
    if (text === undefined) return this.#withoutKey(caller, policy);
    const found = this.#keys.verify(text);
    return found instanceof Promise
      ? found.then((principal) => this.#withKey(principal, caller, policy))
      : this.#withKey(found, caller, policy);
  }

  #withKey(principal: Principal | undefined, caller: Caller, policy: Policy | undefined): Principal {
    if (!principal) {
      return this.#fail(caller, "The key is not valid: unknown, revoked or expired; ask for a new one");
    }
    if (this.#perKey) limit(this.#perKey, principal.keyId, caller.nowMs);
    if (policy) requireScope(principal, policy.scope);
    return principal;
  }

  #withoutKey(caller: Caller, policy: Policy | undefined): Decision {
    this.admitAnonymous(caller);
    if (policy?.ticket) {
      const ticket = ticketIn(caller.url);
      if (ticket !== null) {
        const principal = this.#tickets.redeem(ticket);
        if (!principal) {
          return this.#fail(caller, "The ticket is not valid: unknown, used or expired; get a new one");
        }
        requireScope(principal, policy.scope);
        return principal;
      }
    }
    if (policy?.loopback && isLocal(caller)) return undefined;
    throw unauthorized("This needs a key: send it as Authorization: Bearer KEY or X-API-Key: KEY");
  }

  #fail({ remoteAddress, nowMs }: Caller, detail: string): never {
    if (this.#failures) limit(this.#failures, remoteAddress, nowMs);
    throw unauthorized(detail);
  }
}

function keyIn(headers: Headers): string | undefined {
  const own = headers.get("x-api-key");
  if (own !== null) return own;
  const authorization = headers.get("authorization");
  if (authorization === null) return undefined;
  return /^bearer /i.test(authorization) ? authorization.slice(7).trim() : "";
}

function ticketIn(url: string): string | null {
  return url.includes("ticket=") ? new URL(url).searchParams.get("ticket") : null;
}

/** On this machine, asking for this machine by a name that cannot be rebound, and not on behalf of somebody else. */
function isLocal({ remoteAddress, headers }: Caller): boolean {
  const name = hostNameOf(headers.get("host") ?? "");
  return isLoopback(remoteAddress) && name !== undefined && isLoopbackName(name) &&
    !forwardingHeaders.some((header) => headers.has(header));
}

function requireScope(principal: Principal, scope: Scope | undefined): void {
  // What concerns the whole agent is not for a key that is limited to projects, whatever its row says.
  const held = scope !== undefined && holdsScope(principal, scope) &&
    (scope !== "admin" || principal.projects === null);
  if (held) return;
  throw new Problem(403, "insufficient_scope", {
    detail: scope ? `The key "${principal.name}" lacks the scope "${scope}"` : "A key does not open this",
    extras: scope ? { required_scope: scope } : {},
  });
}

function limit(limiter: RateLimiter, name: string, nowMs: number): void {
  const waitMs = limiter.take(name, nowMs);
  if (waitMs <= 0) return;
  const seconds = Math.max(1, Math.ceil(waitMs / 1000));
  throw new Problem(429, "too_many_requests", {
    detail: `Too many requests; try again in ${seconds} s`,
    extras: { retry_after: seconds },
  });
}

function unauthorized(detail: string): Problem {
  return new Problem(401, "unauthorized", { detail });
}
