import { expect } from "expect";
import { rm } from "node:fs/promises";
import type { Clock } from "../clock.ts";
import { getLogger } from "../log.ts";
import { openStorage } from "../storage/open_storage.ts";
import { storageSettings } from "../storage/settings.ts";
import type { Storage } from "../storage/storage.ts";
import { KeyRing } from "./key_ring.ts";
import { KeyStore } from "./key_store.ts";

const request = { name: "x", scopes: ["read" as const], projects: null, expiresAt: null, createdBy: null };

/** Two agents on one database, and a clock that only moves when told to. */
async function withTwoAgents(
  work: (
    agents: {
      one: KeyRing;
      two: KeyRing;
      store: KeyStore;
      storage: Storage;
      clock: Clock;
      tick: (ms: number) => void;
    },
  ) => Promise<void>,
): Promise<void> {
  const dataDir = await Deno.makeTempDir();
  const storage = await openStorage(storageSettings.parse({ url: "sqlite:" }), { dataDir, warn: () => {} });
  let nowMs = 1_700_000_000_000;
  const clock = { now: () => nowMs, monotonic: () => nowMs };
  const store = await KeyStore.open(storage);
  const [one, two] = [0, 1].map(() => new KeyRing({ store, clock, log: getLogger("test") })) as [
    KeyRing,
    KeyRing,
  ];
  try {
    await Promise.all([one.read(), two.read()]);
    await work({ one, two, store, storage, clock, tick: (ms) => nowMs += ms });
  } finally {
    await Promise.all([one.close(), two.close()]);
    await storage.close();
    await rm(dataDir, { recursive: true });
  }
}

Deno.test("a key that another agent made is found, though not looked for at every wrong key", async () => {
  await withTwoAgents(async ({ one, two, tick }) => {
    const { text } = await one.create(request);
    expect(two.verify(text)).toBeUndefined();
    tick(1001);
    expect(await two.verify(text)).toMatchObject({ name: "x" });
    expect(two.verify(text)).not.toBeInstanceOf(Promise);
  });
});

Deno.test("a key that another agent revoked is refused within seconds, also after a long silence", async () => {
  await withTwoAgents(async ({ one, two, tick }) => {
    const { text, stored } = await one.create(request);
    await two.read();
    expect(await one.revoke(stored.id)).toBe("revoked");
    expect(one.verify(text)).toBeUndefined();
    expect(two.verify(text)).toMatchObject({ name: "x" });
    tick(2001);
    await two.verify(text); // starts a reading in the background …
    await two.read(); // … which this one shares
    expect(two.verify(text)).toBeUndefined();
  });
  await withTwoAgents(async ({ one, two, tick }) => {
    const { text, stored } = await one.create(request);
    await two.read();
    await one.revoke(stored.id);
    tick(3_600_000);
    expect(await two.verify(text)).toBeUndefined();
  });
});

Deno.test("a revocation is not undone by a reading that began before it", async () => {
  await withTwoAgents(async ({ store, clock }) => {
    const { promise: gate, resolve } = Promise.withResolvers<void>();
    // The real store, whose answers take their time on the way.
    const slow = new Proxy(store, {
      get: (target, name: keyof KeyStore) =>
        name === "unrevoked"
          ? () => target.unrevoked().then((keys) => gate.then(() => keys))
          : target[name].bind(target),
    });
    const ring = new KeyRing({ store: slow, clock, log: getLogger("test") });
    const { text, stored } = await ring.create(request);
    const reading = ring.read();
    await ring.revoke(stored.id);
    resolve();
    await reading;
    expect(await ring.verify(text)).toBeUndefined();
    expect(ring.isLive(stored.id)).toBe(false);
  });
});

Deno.test("the use of a key is noted once a minute", async () => {
  await withTwoAgents(async ({ one, store, tick }) => {
    const { text, stored } = await one.create(request);
    const noted: (string | null | undefined)[] = [];
    for (const ms of [0, 30_000, 30_000]) {
      tick(ms);
      await one.verify(text);
      await one.close();
      noted.push((await store.find(stored.id))?.last_used_at);
    }
    expect(noted).toEqual([
      "2023-11-14T22:13:20.000Z",
      "2023-11-14T22:13:20.000Z",
      "2023-11-14T22:14:20.000Z",
    ]);
  });
});

Deno.test("without the database, known keys work for a while and then nobody is let in", async () => {
  await withTwoAgents(async ({ one, storage, tick }) => {
    const { text } = await one.create(request);
    await one.verify(text);
    await one.close();
    await storage.close();
    tick(5000);
    expect(await one.verify(text)).toMatchObject({ name: "x" });
    tick(10_000);
    await expect(Promise.resolve(one.verify(text))).rejects.toMatchObject({
      status: 503,
      code: "storage_unavailable",
    });
  });
});

Deno.test("a key expires by the clock, without anybody asking the database", async () => {
  await withTwoAgents(async ({ one, tick }) => {
    const { text } = await one.create({ ...request, expiresAt: "2023-11-14T22:13:21.000Z" });
    expect(one.verify(text)).toMatchObject({ name: "x" });
    tick(1000);
    expect(one.verify(text)).toBeUndefined();
  });
});

Deno.test("keys are bounded in number, and a revoked one makes room", async () => {
  await withTwoAgents(async ({ one }) => {
    const { stored } = await one.create(request);
    for (let count = 1; count < 1000; count++) await one.add({ id: `key-${count}`, hash: "00" }, request);
    await expect(one.create(request)).rejects.toMatchObject({ status: 409, code: "too_many_keys" });
    expect(await one.revoke(stored.id)).toBe("revoked");
    expect((await one.create(request)).text).toMatch(/^cc_/);
  });
});
