import { chmod, open, readFile, rename, rm, stat } from "node:fs/promises";
import process from "node:process";
import { join } from "node:path";
import { type Clock, timestamp } from "../clock.ts";
import { ConfigurationError } from "../errors.ts";
import type { Logger } from "../log.ts";
import type { KeyRequest, KeyRing } from "./key_ring.ts";
import type { KeyStore } from "./key_store.ts";
import { makeKey, parseKey } from "./key_text.ts";

export interface AdminKeyOptions {
  readonly dataDir: string;
  readonly nodeId: string;
  readonly ring: KeyRing;
  readonly store: KeyStore;
  readonly clock: Clock;
  readonly log: Logger;
}

/**
 * Sees to it that `<dataDir>/admin.key` holds an admin key, and returns its path. The file is written before the key is
 * stored: whatever is cut short in between, the next start ends it. Without the file a new key is made, which is the
 * way back in for whoever has access to the data folder. Rejects with ConfigurationError where the file holds no key.
 */
export async function ensureAdminKey(options: AdminKeyOptions): Promise<string> {
  const file = join(options.dataDir, "admin.key");
  const text = await readOrWrite(file, options.log);
  const parsed = parseKey(text);
  if (!parsed) {
    throw new ConfigurationError([
      `Cannot use "${file}": it holds no key; delete it, and the next start makes a new one`,
    ]);
  }
  await register({ id: parsed.id, hash: parsed.hash.toString("hex") }, { ...options, file });
  return file;
}

async function readOrWrite(file: string, log: Logger): Promise<string> {
  try {
    const text = (await readFile(file, "utf8")).trim();
    await closeToOthers(file, log);
    return text;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
  }
  const { text } = makeKey();
  const draft = `${file}.new`;
  await rm(draft, { force: true });
  const handle = await open(draft, "wx", 0o600); // created closed to others, never opened up for a moment
  try {
    await handle.writeFile(`${text}\n`);
    await handle.sync();
  } finally {
    await handle.close();
  }
  await rename(draft, file);
  return text;
}

async function closeToOthers(file: string, log: Logger): Promise<void> {
  const { mode } = await stat(file);
  if (process.platform === "win32" || (mode & 0o077) === 0) return;
  await chmod(file, 0o600);
  log.warn("The file of the admin key was open to others; its mode is 0600 again", { file });
}

async function register(
  key: { id: string; hash: string },
  { ring, store, clock, log, nodeId, file }: AdminKeyOptions & { file: string },
): Promise<void> {
  const stored = await store.find(key.id);
  if (!stored) {
    const request: KeyRequest = {
      name: `admin@${nodeId}`,
      scopes: ["admin"],
      projects: null,
      expiresAt: null,
      createdBy: null,
    };
    await ring.add(key, request);
    log.info("An admin key was made; its file is for this machine's command line", { file, key: key.id });
    return;
  }
  const expired = stored.expires_at !== null && stored.expires_at <= timestamp(clock);
  if (stored.revoked_at === null && !expired && stored.hash === key.hash) return;
  const state = stored.revoked_at !== null
    ? "revoked"
    : expired
    ? "expired"
    : "not the one this storage knows";
  log.warn(`The admin key in its file is ${state}; delete the file, and the next start makes a new one`, {
    file,
  });
}
