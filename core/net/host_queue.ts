import { FetchError } from "./fetch_error.ts";

/** Gives a slot back; only the first call counts. */
export type ReleaseSlot = () => void;

/** How close together the requests to one host may come; stricter than the configuration, or without effect. */
export interface Spacing {
  /** Requests under way at once. */
  readonly concurrency?: number;
  /** Milliseconds between the starts of two of them. */
  readonly delayMs?: number;
}

/** Limits of a HostQueue. */
export interface HostQueueOptions {
  /** Over all hosts. */
  readonly concurrency: number;
  readonly perHost: { readonly concurrency: number; readonly delay: number; readonly waiting: number };
  /** Milliseconds that only grow. */
  readonly monotonic: () => number;
}

/** What one request brings to the queue. */
export interface AcquireOptions {
  readonly signal: AbortSignal;
  /** Longest pause, asked for by the host, that it is worth waiting for. */
  readonly patienceMs: number;
  readonly spacing?: Spacing | undefined;
}

interface Waiting {
  readonly spacing: Spacing;
  readonly patienceMs: number;
  readonly start: (release: ReleaseSlot) => void;
  readonly refuse: (error: unknown) => void;
}

interface HostState {
  readonly origin: string;
  readonly waiting: Waiting[];
  active: number;
  lastStartAt: number;
  pausedUntil: number;
}

/** Hosts of which the last start and the pause are remembered. */
const maxRemembered = 10_000;

/** Hands out slots: a few at once to each host, with the pauses that it asks for, and so many to all hosts. */
export class HostQueue {
  readonly #options: HostQueueOptions;
  readonly #hosts = new Map<string, HostState>();
  /** Those for which somebody waits; whoever got a slot goes to the end, so that a long line holds no other up. */
  readonly #lines = new Set<HostState>();
  #active = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(options: HostQueueOptions) {
    this.#options = options;
  }

  /**
   * Waits for a slot. Rejects with FetchError `rate_limited` where the host wants a longer pause than there is patience
   * for, with `busy` where too many wait already, and with the signal's reason.
   */
  acquire(origin: string, { signal, patienceMs, spacing = {} }: AcquireOptions): Promise<ReleaseSlot> {
    if (signal.aborted) return Promise.reject(signal.reason);
    const host = this.#host(origin);
    const pauseMs = this.#pauseMs(host);
    if (pauseMs > patienceMs) return Promise.reject(paused(origin, pauseMs));
    const { waiting: limit } = this.#options.perHost;
    if (host.waiting.length >= limit) {
      const state = `${limit} requests wait for this host already; try again later (fetch.per_host.waiting)`;
      return Promise.reject(new FetchError("busy", { origin, state }));
    }
    return new Promise((resolve, reject) => {
      const leave = (act: () => void) => {
        signal.removeEventListener("abort", onAbort);
        act();
      };
      const onAbort = () => {
        host.waiting.splice(host.waiting.indexOf(entry), 1);
        entry.refuse(signal.reason);
        this.#serve();
      };
      const entry: Waiting = {
        spacing,
        patienceMs,
        start: (release) => leave(() => resolve(release)),
        refuse: (error) => leave(() => reject(error)),
      };
      signal.addEventListener("abort", onAbort);
      host.waiting.push(entry);
      this.#lines.add(host);
      this.#serve();
    });
  }

  /** Starts nothing to this host for so long, as it asked, and sends away who has less patience. */
  pause(origin: string, durationMs: number): void {
    const host = this.#host(origin);
    host.pausedUntil = Math.max(host.pausedUntil, this.#options.monotonic() + durationMs);
    const pauseMs = this.#pauseMs(host);
    for (const entry of host.waiting.splice(0)) {
      if (entry.patienceMs < pauseMs) entry.refuse(paused(origin, pauseMs));
      else host.waiting.push(entry);
    }
  }

  /** Lets go of the timer; who still waits is sent away by its own signal. */
  close(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  #pauseMs(host: HostState): number {
    return Math.max(0, Math.ceil(host.pausedUntil - this.#options.monotonic()));
  }

  #host(origin: string): HostState {
    let host = this.#hosts.get(origin);
    if (!host) {
      host = { origin, waiting: [], active: 0, lastStartAt: -Infinity, pausedUntil: -Infinity };
      this.#forgetIdle();
      this.#hosts.set(origin, host);
    }
    return host;
  }

  /** Makes room, oldest first; with a host that is forgotten goes at most a pause that it asked for. */
  #forgetIdle(): void {
    if (this.#hosts.size < maxRemembered) return;
    for (const [origin, host] of this.#hosts) {
      if (host.active > 0 || host.waiting.length > 0) continue;
      this.#hosts.delete(origin);
      if (this.#hosts.size < maxRemembered) return;
    }
  }

  /** Starts whatever may start now, and comes back when the next one may. */
  #serve(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    let nextAt = Infinity;
    for (const host of this.#lines) {
      if (this.#active >= this.#options.concurrency) return; // a slot that comes back leads here again
      const readyAt = this.#readyAt(host);
      if (readyAt > this.#options.monotonic()) {
        nextAt = Math.min(nextAt, readyAt);
        continue;
      }
      this.#lines.delete(host);
      if (host.waiting.length === 0) continue;
      this.#start(host);
      this.#lines.add(host); // this loop comes to it again, after the others
    }
    if (nextAt === Infinity) return;
    const waitMs = Math.max(1, Math.ceil(nextAt - this.#options.monotonic()));
    this.#timer = setTimeout(() => this.#serve(), Math.min(waitMs, 60_000));
  }

  /** When the first in line may start; Infinity while it waits for another to end. */
  #readyAt({ active, waiting, lastStartAt, pausedUntil }: HostState): number {
    const first = waiting[0];
    if (!first) return -Infinity;
    const { perHost } = this.#options;
    const { concurrency = Infinity, delayMs = 0 } = first.spacing;
    if (active >= Math.min(perHost.concurrency, concurrency)) return Infinity;
    return Math.max(pausedUntil, lastStartAt + Math.max(perHost.delay, delayMs));
  }

  #start(host: HostState): void {
    const { start } = host.waiting.shift()!;
    host.active++;
    this.#active++;
    host.lastStartAt = this.#options.monotonic();
    let held = true;
    start(() => {
      if (!held) return;
      held = false;
      host.active--;
      this.#active--;
      this.#serve();
    });
  }
}

function paused(origin: string, retryAfterMs: number): FetchError {
  const state = `the host asked to be left alone for another ${retryAfterMs} ms (Retry-After)`;
  return new FetchError("rate_limited", { origin, state, retryAfterMs });
}
