import { expect } from "expect";
import { chmod, readFile, rm, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { makeKey } from "./key_text.ts";
import { TestServer } from "../../tests/support/http_test_server.ts";

async function withFolder(work: (dataDir: string, file: string) => Promise<void>): Promise<void> {
  const dataDir = await Deno.makeTempDir();
  try {
    await work(dataDir, join(dataDir, "admin.key"));
  } finally {
    await rm(dataDir, { recursive: true });
  }
}

Deno.test("the first start makes an admin key, alone in a file closed to others; later starts keep it", async () => {
  await withFolder(async (dataDir, file) => {
    const keys: string[] = [];
    for (let round = 0; round < 2; round++) {
      await using server = await TestServer.start({ dataDir });
      expect(server.http.adminKeyFile).toBe(file);
      expect(await readFile(file, "utf8")).toMatch(/^cc_[0-9a-f]{16}_[A-Za-z0-9_-]{43}\n$/);
      expect((await stat(file)).mode & 0o777).toBe(0o600);
      const { status, body } = await server.json("/api/keys");
      expect([status, body.items.length]).toEqual([200, 1]);
      keys.push(server.adminKey);
      expect(JSON.stringify(server.lines)).not.toContain(server.adminKey.slice(-43));
    }
    expect(keys[0]).toBe(keys[1]);
  });
});

Deno.test("a key in the file that the storage does not know is registered", async () => {
  await withFolder(async (dataDir, file) => {
    const { text } = makeKey();
    await writeFile(file, `${text}\n`, { mode: 0o600 });
    await using server = await TestServer.start({ dataDir });
    expect(server.adminKey).toBe(text);
    expect((await server.json("/api/keys")).status).toBe(200);
  });
});

Deno.test("a revoked key in the file stays revoked and is warned of; without the file there is a new one", async () => {
  await withFolder(async (dataDir, file) => {
    let revoked: string;
    {
      await using server = await TestServer.start({ dataDir });
      revoked = server.adminKey;
      await server.makeKey({ scopes: ["admin"] });
      const id = revoked.split("_")[1];
      expect((await server.json(`/api/keys/${id}`, { method: "DELETE" })).status).toBe(204);
    }
    {
      await using server = await TestServer.start({ dataDir });
      expect((await server.json("/api/keys", { key: revoked })).status).toBe(401);
      expect(server.lines.find(({ level }) => level === "warn")?.message).toContain("is revoked");
    }
    await rm(file);
    await using server = await TestServer.start({ dataDir });
    expect(server.adminKey).not.toBe(revoked);
    expect((await server.json("/api/keys")).status).toBe(200);
  });
});

Deno.test("a file that holds no key stops the start with a word what to do", async () => {
  await withFolder(async (dataDir, file) => {
    for (const content of ["", "hello", "cc_0_x"]) {
      await writeFile(file, content);
      await expect(TestServer.start({ dataDir })).rejects.toThrow("it holds no key; delete it");
    }
  });
});

Deno.test("a file that others could read is closed again", async () => {
  await withFolder(async (dataDir, file) => {
    await writeFile(file, `${makeKey().text}\n`);
    await chmod(file, 0o644);
    await using server = await TestServer.start({ dataDir });
    expect((await stat(file)).mode & 0o777).toBe(0o600);
    expect(server.lines.some(({ level, message }) => level === "warn" && message.includes("open to others")))
      .toBe(true);
  });
});
