import { mkdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { pause } from "../../../core/supervise.ts";
import { type IntegrityStore, unlessDamaged } from "./integrity_store.ts";

/** How far the note may be behind, in milliseconds. */
const noteEveryMs = 1000;

/** A place in the log that was noted elsewhere. */
export interface NotedHead {
  readonly seq: number;
  readonly hash: string;
}

/** Where an agent notes the head of its log, beside the database. */
export function noteFileOf(dataDir: string): string {
  return join(dataDir, "event-store", "head");
}

/** The head that this agent noted last; undefined where there is none, or none that can be read. */
export async function readNotedHead(path: string): Promise<NotedHead | undefined> {
  const text = await readFile(path, "utf8").catch(unlessMissing);
  return text === undefined ? undefined : parseNotedHead(text.trim());
}

/** `SEQ:HASH`; undefined for anything else. */
export function parseNotedHead(text: string): NotedHead | undefined {
  const [, seq, hash] = /^(\d{1,16}):([0-9a-f]{64})$/.exec(text) ?? [];
  return seq === undefined || hash === undefined ? undefined : { seq: Number(seq), hash };
}

/** Notes the head again and again until aborted, so that at the next start a lost end is missed. Rejects when the disk does. */
export async function noteHead(store: IntegrityStore, path: string, signal: AbortSignal): Promise<void> {
  await mkdir(dirname(path), { recursive: true, mode: 0o700 });
  let noted = "";
  for (;;) {
    const head = await unlessDamaged(() => store.head());
    const text = head && head.seq > 0 ? `${head.seq}:${head.hash}\n` : noted;
    if (text !== noted) await replace(path, text);
    noted = text;
    if (signal.aborted) return; // having noted the last ones too
    await pause(noteEveryMs, signal);
  }
}

/** Not synced: after a power loss an older note will do, and half a one is none. */
async function replace(path: string, text: string): Promise<void> {
  const temporary = `${path}.tmp`;
  try {
    await writeFile(temporary, text, { mode: 0o600 });
    await rename(temporary, path);
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
}

function unlessMissing(error: NodeJS.ErrnoException): undefined {
  if (error.code !== "ENOENT") throw error;
}
