import type { Principal } from "./principal.ts";

/** A short-lived pass for one connection, for browsers, which cannot set headers on WebSocket and EventSource. */
export interface Ticket {
  readonly ticket: string;
  /** RFC 3339. */
  readonly expiresAt: string;
}

/** Makes and redeems one-time tickets; kept in memory, bounded. */
export interface Tickets {
  /** A ticket that stands for this principal once. Throws Problem 429 where too many are open. */
  issue(principal: Principal): Ticket;
  /** The principal, the first time and before it expires; undefined otherwise. */
  redeem(ticket: string): Principal | undefined;
}
