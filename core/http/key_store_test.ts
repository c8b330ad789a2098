import { expect } from "expect";
import { rm } from "node:fs/promises";
import { createDatabase } from "../../tests/support/postgres.ts";
import { testWithPostgres } from "../../tests/support/test_with.ts";
import { openStorage } from "../storage/open_storage.ts";
import { storageSettings } from "../storage/settings.ts";
import { KeyStore, type StoredKey } from "./key_store.ts";

const time = "2026-01-02T03:04:05.678Z";

function key(id: string, more: Partial<StoredKey> = {}): StoredKey {
  return {
    id,
    name: `Schlüssel ${id}`,
    hash: "00".repeat(32),
    scopes: ["read"],
    projects: null,
    created_at: time,
    created_by: null,
    expires_at: null,
    last_used_at: null,
    revoked_at: null,
    ...more,
  };
}

async function checkStore(url: string): Promise<void> {
  const dataDir = await Deno.makeTempDir();
  const storage = await openStorage(storageSettings.parse({ url, pool_size: 4 }), {
    dataDir,
    warn: () => {},
  });
  try {
    await KeyStore.open(storage);
    const store = await KeyStore.open(storage); // a second start migrates nothing
    const full = key("c", {
      scopes: ["read", "write"],
      projects: ["demo", "x-1"],
      expires_at: time,
      created_by: "a",
    });
    for (const each of [full, key("a", { scopes: ["admin"] }), key("b", { scopes: ["admin"] })]) {
      await store.insert(each);
    }
    expect(await store.find("c")).toEqual(full);
    expect(await store.find("d")).toBeUndefined();
    await expect(store.insert(key("a"))).rejects.toThrow();

    const first = await store.list({ limit: 2 });
    expect(first.map(({ id }) => id)).toEqual(["a", "b"]);
    expect((await store.list({ limit: 2, after: first[1] })).map(({ id }) => id)).toEqual(["c"]);

    await store.markUsed("c", time);
    expect((await store.find("c"))?.last_used_at).toBe(time);

    expect(await store.revoke("d", time)).toBe("unknown");
    const both = await Promise.all([store.revoke("a", time), store.revoke("b", time)]);
    expect(both.sort()).toEqual(["last_admin", "revoked"]);
    expect(await store.revoke("c", time)).toBe("revoked");
    expect((await store.unrevoked()).length).toBe(1);
  } finally {
    await storage.close();
    await rm(dataDir, { recursive: true });
  }
}

Deno.test("keys in SQLite: kept as they are, listed in pages, one admin key always left", () =>
  checkStore("sqlite:"));

testWithPostgres(
  "keys in PostgreSQL: kept as they are, listed in pages, one admin key always left",
  async () => {
    await using database = await createDatabase();
    await checkStore(database.url);
  },
);
