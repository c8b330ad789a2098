import { expect } from "expect";
import fc from "fast-check";
import { generateKeyPairSync } from "node:crypto";
import { join } from "node:path";
import { isSignedOff, signerOf, signGap } from "./anchor.ts";
import { loadAnchorKey } from "./anchor_key.ts";

const gap = { from_seq: 3, to_seq: 9, hash: "ab".repeat(32), removed_at: "2026-01-31T12:00:00.000Z" };

Deno.test("a signed gap is signed off, and no longer once anything in it is changed", () => {
  const key = generateKeyPairSync("ed25519").privateKey;
  const other = generateKeyPairSync("ed25519").privateKey;
  const signed = signGap(gap, key);
  expect(signed).toMatchObject({ ...gap, signer: signerOf(key) });
  expect(isSignedOff(signed)).toBe(true);
  const forged = [
    { from_seq: 2 },
    { to_seq: 10 },
    { hash: "ac".repeat(32) },
    { removed_at: "2026-01-31T12:00:00.001Z" },
    { signer: signerOf(other) },
    { signature: signGap(gap, other).signature },
  ];
  for (const change of forged) {
    expect({ change, is: isSignedOff({ ...signed, ...change }) }).toEqual({ change, is: false });
  }
});

Deno.test("whatever stands in place of a signature or a signer is refused, not thrown at", () => {
  const key = generateKeyPairSync("ed25519").privateKey;
  const signed = signGap(gap, key);
  fc.assert(fc.property(fc.string(), (text) => {
    expect(isSignedOff({ ...signed, signature: text })).toBe(false);
    expect(isSignedOff({ ...signed, signer: text })).toBe(false);
  }));
  for (const signer of ["A".repeat(43), "_".repeat(43)]) {
    expect(isSignedOff({ ...signed, signer })).toBe(false);
  }
});

Deno.test("the key is made once, closed to others, and the same after a restart", async () => {
  const dataDir = await Deno.makeTempDir();
  try {
    const keys = await Promise.all([loadAnchorKey(dataDir), loadAnchorKey(dataDir)]);
    const again = await loadAnchorKey(dataDir);
    for (const key of keys) expect(signerOf(key)).toBe(signerOf(again));
    const file = join(dataDir, "event-store", "anchor.key");
    expect((await Deno.stat(file)).mode! & 0o777).toBe(0o600);
    expect([...Deno.readDirSync(join(dataDir, "event-store"))].map(({ name }) => name)).toEqual([
      "anchor.key",
    ]);
    await Deno.writeTextFile(file, "no key\n");
    await expect(loadAnchorKey(dataDir)).rejects.toThrow("it holds no private key");
  } finally {
    await Deno.remove(dataDir, { recursive: true });
  }
});
