import { createPublicKey, type KeyObject, sign, verify } from "node:crypto";
import type { GapRow } from "../tables.ts";

type UnsignedGap = Omit<GapRow, "signer" | "signature">;

/** Public keys that signatures were checked with lately; there are as many as agents that removed events. */
const maxKnownSigners = 64;
const signers = new Map<string, KeyObject>();

/** What is signed; part of the format of the log: a change makes every stored signature wrong. */
function gapText({ from_seq, to_seq, hash, removed_at }: UnsignedGap): Uint8Array {
  return new TextEncoder().encode(
    `commandcenter gap 1\n${from_seq}\n${to_seq}\n${hash}\n${removed_at}\n`,
  );
}

/** Signs off that the events of a gap were removed on purpose, with the agent's private key (Ed25519). */
export function signGap(gap: UnsignedGap, key: KeyObject): GapRow {
  return { ...gap, signer: signerOf(key), signature: sign(null, gapText(gap), key).toString("base64url") };
}

/** The public half of an agent's key, base64url: what its gaps name as `signer`. */
export function signerOf(key: KeyObject): string {
  return createPublicKey(key).export({ format: "jwk" }).x!;
}

/**
 * Whether a gap is as its signer left it. That the signer is an agent of yours, the signature cannot say: compare
 * `signer` with the agents' own.
 */
export function isSignedOff(gap: GapRow): boolean {
  const key = publicKey(gap.signer);
  return key !== undefined && verify(null, gapText(gap), key, Buffer.from(gap.signature, "base64url"));
}

function publicKey(signer: string): KeyObject | undefined {
  const known = signers.get(signer);
  if (known) return known;
  if (!/^[A-Za-z0-9_-]{43}$/.test(signer)) return undefined;
  let key: KeyObject;
  try {
    key = createPublicKey({ key: { kty: "OKP", crv: "Ed25519", x: signer }, format: "jwk" });
  } catch {
    return undefined; // of the right length, and yet no key: whoever wrote it signed nothing
  }
  if (signers.size >= maxKnownSigners) signers.clear();
  signers.set(signer, key);
  return key;
}
