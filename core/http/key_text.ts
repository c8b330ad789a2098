import { createHash, randomBytes, timingSafeEqual } from "node:crypto";

/** A new key: the text for its holder, and what the storage keeps of it. */
export interface NewKey {
  /** Public half. */
  readonly id: string;
  /** `cc_<id>_<secret>`, to be shown once. */
  readonly text: string;
  /** SHA-256 of the secret, as hex. */
  readonly hash: string;
}

const form = /^cc_([0-9a-f]{16})_([A-Za-z0-9_-]{43})$/;

/** Makes a key with 256 random bits; that many need no slow hash to be safe against guessing. */
export function makeKey(): NewKey {
  const id = randomBytes(8).toString("hex");
  const secret = randomBytes(32).toString("base64url");
  return { id, text: `cc_${id}_${secret}`, hash: digest(secret).toString("hex") };
}

/** Splits a key into its id and the hash of its secret; undefined where it is none of ours. */
export function parseKey(text: string): { id: string; hash: Buffer } | undefined {
  const match = form.exec(text);
  return match ? { id: match[1]!, hash: digest(match[2]!) } : undefined;
}

/** Compares two hashes in constant time. */
export function sameHash(one: Buffer, other: Buffer): boolean {
  return one.length === other.length && timingSafeEqual(one, other);
}

function digest(secret: string): Buffer {
  return createHash("sha256").update(secret).digest();
}
