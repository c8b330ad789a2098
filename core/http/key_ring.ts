import { type Clock, timestamp } from "../clock.ts";
import { Problem } from "../errors.ts";
import type { Logger } from "../log.ts";
import { makeKey, parseKey, sameHash } from "./key_text.ts";
import type { KeyStore, StoredKey } from "./key_store.ts";
import type { Principal, Scope } from "./principal.ts";

/** Age at which the keys in memory are read again, in the background. */
const staleMs = 2000;
/** Age beyond which no request is decided by them: what another agent revoked is refused within this time. */
const maxAgeMs = 10_000;
/** An unknown key may be another agent's newest: it is looked for, at most this often. */
const unknownMs = 1000;
const lastUsedEveryMs = 60_000;
const maxKeys = 1000;

interface LiveKey {
  readonly principal: Principal;
  readonly hash: Buffer;
  /** Wall-clock milliseconds; Infinity = never. */
  readonly expiresMs: number;
  lastUsedMs: number;
}

/** What a new key is to be. */
export interface KeyRequest {
  readonly name: string;
  readonly scopes: readonly Scope[];
  readonly projects: readonly string[] | null;
  /** RFC 3339. */
  readonly expiresAt: string | null;
  /** Id of the key that asked. */
  readonly createdBy: string | null;
}

/**
 * The valid keys, in memory, so that checking one costs microseconds. Own changes count at once; those of other agents
 * on the same database within seconds. No timer: the age is looked at when a request comes.
 */
export class KeyRing {
  readonly #store: KeyStore;
  readonly #clock: Clock;
  readonly #log: Logger;
  #keys = new Map<string, LiveKey>();
  #readAt = -Infinity;
  #changes = 0;
  #reading: Promise<void> | undefined;
  readonly #writes = new Set<Promise<void>>();

  constructor({ store, clock, log }: { store: KeyStore; clock: Clock; log: Logger }) {
    this.#store = store;
    this.#clock = clock;
    this.#log = log;
  }

  /** Whose key it is; undefined for none of ours. Only a promise where the database had to be asked; 503 when it does not answer. */
  verify(text: string): Principal | undefined | Promise<Principal | undefined> {
    const parsed = parseKey(text);
    if (!parsed) return undefined;
    const ageMs = this.#age();
    const limitMs = this.#keys.has(parsed.id) ? maxAgeMs : unknownMs;
    if (ageMs > limitMs) return this.read().then(() => this.#check(parsed), unavailable);
    return this.#check(parsed);
  }

  /** Whether the key is neither revoked nor expired, as far as this agent knows by now. */
  isLive(id: string): boolean {
    this.#age();
    const key = this.#keys.get(id);
    return key !== undefined && key.expiresMs > this.#clock.now();
  }

  /** When the key expires, in wall-clock milliseconds; Infinity = never, -Infinity for a key that is not live. */
  expiryOf(id: string): number {
    return this.#keys.get(id)?.expiresMs ?? -Infinity;
  }

  /** Makes a key, valid at once. Rejects with Problem 409 where there are too many. */
  async create(request: KeyRequest): Promise<{ stored: StoredKey; text: string }> {
    if (this.#keys.size >= maxKeys) {
      throw new Problem(409, "too_many_keys", { detail: `There are ${maxKeys} keys; revoke some first` });
    }
    const { id, text, hash } = makeKey();
    const stored = await this.add({ id, hash }, request);
    return { stored, text };
  }

  /** Stores a key that was made elsewhere. */
  async add({ id, hash }: { id: string; hash: string }, request: KeyRequest): Promise<StoredKey> {
    const { name, scopes, projects, expiresAt, createdBy } = request;
    const stored: StoredKey = {
      id,
      name,
      hash,
      scopes,
      projects,
      created_at: timestamp(this.#clock),
      created_by: createdBy,
      expires_at: expiresAt,
      last_used_at: null,
      revoked_at: null,
    };
    await this.#store.insert(stored);
    this.#changes++;
    this.#keys.set(id, live(stored));
    return stored;
  }

  /** Revokes a key at once. */
  async revoke(id: string): Promise<"revoked" | "unknown" | "last_admin"> {
    const outcome = await this.#store.revoke(id, timestamp(this.#clock));
    if (outcome === "revoked") {
      this.#changes++;
      this.#keys.delete(id);
    }
    return outcome;
  }

  /** Reads all keys again; several callers share one reading. */
  read(): Promise<void> {
    return this.#reading ??= this.#read().finally(() => this.#reading = undefined);
  }

  /** Waits for what is still being written. */
  async close(): Promise<void> {
    await Promise.allSettled([...this.#writes, this.#reading]);
  }

  async #read(): Promise<void> {
    for (;;) {
      const changes = this.#changes;
      const startedAt = this.#clock.monotonic();
      const stored = await this.#store.unrevoked();
      if (changes !== this.#changes) continue; // what was read may hold a key revoked meanwhile
      const known = this.#keys;
      this.#keys = new Map(stored.map((key) => [key.id, live(key, known.get(key.id)?.lastUsedMs)]));
      this.#readAt = startedAt;
      return;
    }
  }

  /** Age of the keys in memory; a stale age starts a reading. */
  #age(): number {
    const ageMs = this.#clock.monotonic() - this.#readAt;
    if (ageMs > staleMs && !this.#reading) {
      this.read().catch((error) =>
        this.#log.warn("Cannot read the keys: the storage does not answer", { error })
      );
    }
    return ageMs;
  }

  #check({ id, hash }: { id: string; hash: Buffer }): Principal | undefined {
    const key = this.#keys.get(id);
    if (!key || !sameHash(key.hash, hash)) return undefined;
    const nowMs = this.#clock.now();
    if (key.expiresMs <= nowMs) return undefined;
    if (nowMs - key.lastUsedMs >= lastUsedEveryMs) this.#markUsed(key, nowMs);
    return key.principal;
  }

  #markUsed(key: LiveKey, nowMs: number): void {
    key.lastUsedMs = nowMs;
    const write = this.#store.markUsed(key.principal.keyId, new Date(nowMs).toISOString())
      .catch((error) =>
        this.#log.warn("Cannot note the use of a key: the storage does not answer", { error })
      )
      .finally(() => this.#writes.delete(write));
    this.#writes.add(write);
  }
}

function live(stored: StoredKey, lastUsedMs?: number): LiveKey {
  const { id, name, scopes, projects } = stored;
  return {
    principal: { keyId: id, name, scopes, projects },
    hash: Buffer.from(stored.hash, "hex"),
    expiresMs: stored.expires_at === null ? Infinity : Date.parse(stored.expires_at),
    lastUsedMs: Math.max(
      lastUsedMs ?? -Infinity,
      stored.last_used_at ? Date.parse(stored.last_used_at) : -Infinity,
    ),
  };
}

function unavailable(cause: unknown): never {
  throw new Problem(503, "storage_unavailable", {
    detail: "The key cannot be checked now: the database does not answer; try again",
    cause,
    extras: { retry_after: 1 },
  });
}
