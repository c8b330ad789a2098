import { randomBytes } from "node:crypto";
import type { Clock } from "../clock.ts";
import { Problem } from "../errors.ts";
import type { Principal } from "./principal.ts";
import type { Ticket, Tickets } from "./tickets.ts";

const lifetimeMs = 30_000;
const maxOpen = 10_000;
const maxOpenPerKey = 100;

/** Tickets in memory: each lives for 30 s, works once, and dies with its key. */
export class TicketBox implements Tickets {
  readonly #clock: Clock;
  readonly #isLive: (keyId: string) => boolean;
  readonly #open = new Map<string, { principal: Principal; expiresMs: number }>();

  constructor({ clock, isLive }: { clock: Clock; isLive: (keyId: string) => boolean }) {
    this.#clock = clock;
    this.#isLive = isLive;
  }

  issue(principal: Principal): Ticket {
    const nowMs = this.#clock.now();
    let ofThisKey = 0;
    for (const [ticket, { principal: holder, expiresMs }] of this.#open) {
      if (expiresMs <= nowMs) this.#open.delete(ticket);
      else if (holder.keyId === principal.keyId) ofThisKey++;
    }
    if (ofThisKey >= maxOpenPerKey || this.#open.size >= maxOpen) {
      throw new Problem(429, "too_many_tickets", {
        detail: `Too many unused tickets; each ends by itself after ${lifetimeMs / 1000} s`,
        extras: { retry_after: lifetimeMs / 1000 },
      });
    }
    const ticket = randomBytes(32).toString("base64url");
    this.#open.set(ticket, { principal, expiresMs: nowMs + lifetimeMs });
    return { ticket, expiresAt: new Date(nowMs + lifetimeMs).toISOString() };
  }

  redeem(ticket: string): Principal | undefined {
    const found = this.#open.get(ticket);
    if (!found) return undefined;
    this.#open.delete(ticket);
    return found.expiresMs > this.#clock.now() && this.#isLive(found.principal.keyId)
      ? found.principal
      : undefined;
  }
}
