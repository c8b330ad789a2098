import type { Scope } from "./principal.ts";

/** One entry of an OpenAPI `security` list. */
export type SecurityRequirement = Readonly<Record<string, readonly string[] | undefined>>;

/** Who may call a route. */
export interface Policy {
  /** Anybody, without a key; the handler checks for itself (a signature, say) or has nothing to hide. */
  readonly open: boolean;
  /** What a key must hold; absent where a key alone never suffices. */
  readonly scope?: Scope | undefined;
  /** A one-time ticket in `?ticket=` stands for its holder's key. */
  readonly ticket: boolean;
  /** Peers on this machine need no key. */
  readonly loopback: boolean;
}

const scopes: readonly string[] = ["read", "write", "admin"] satisfies Scope[];

/** What a route without `security` asks for. */
export function defaultSecurity(method: string): SecurityRequirement[] {
  return [{ key: [method === "GET" || method === "HEAD" ? "read" : "write"] }];
}

/**
 * Reads a route's `security`: `[]` is open; else a list of alternatives, each one of `{ key: [scope] }`,
 * `{ ticket: [] }` and `{ loopback: [] }`. Throws on anything else, rather than let in too many.
 */
export function policyOf(security: readonly SecurityRequirement[]): Policy {
  if (security.length === 0) return { open: true, ticket: false, loopback: false };
  let scope: Scope | undefined;
  let ticket = false;
  let loopback = false;
  for (const requirement of security) {
    const [scheme, values = [], ...rest] = Object.entries(requirement).flat() as [
      string?,
      string[]?,
      ...unknown[],
    ];
    const wrong = `Cannot read the security ${JSON.stringify(requirement)}`;
    if (rest.length > 0) throw new Error(`${wrong}: it joins schemes; only alternatives are known`);
    if (scheme === "key") {
      const [only, ...more] = values;
      if (!only || more.length > 0 || !scopes.includes(only)) {
        throw new Error(`${wrong}: a key needs exactly one scope of ${scopes.join(", ")}`);
      }
      if (scope) throw new Error(`${wrong}: there is another key alternative`);
      scope = only as Scope;
    } else if (scheme === "ticket" && values.length === 0) ticket = true;
    else if (scheme === "loopback" && values.length === 0) loopback = true;
    else {throw new Error(
        `${wrong}: known are { key: [scope] }, { ticket: [] }, { loopback: [] } and [] for open`,
      );}
  }
  if (ticket && !scope) {
    throw new Error(
      "Cannot read the security: a ticket stands for a key; say which scope with { key: [scope] }",
    );
  }
  return { open: false, scope, ticket, loopback };
}
