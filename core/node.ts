import { randomBytes } from "node:crypto";
import { join } from "node:path";
import { refuseHalfRestored } from "./backup/half_restored.ts";
import { readFailure, readLimited } from "./config/read_limited.ts";
import { createFileAtomically, prepareDataDir } from "./data_dir.ts";
import { ConfigurationError } from "./errors.ts";
import manifest from "../deno.json" with { type: "json" };
import type { Node } from "./plugin.ts";

/** Version of this program. */
export const version: string = manifest.version;

/** What the configuration says about this host; `dataDir` is absolute. */
export interface NodeSettings {
  readonly id?: string;
  readonly name: string;
  readonly dataDir: string;
}

/**
 * Who this agent is: the configured id, else the one that was made at the first start and lies in
 * `<data_dir>/node.id`. Rejects with ConfigurationError where the folder or that file cannot be used.
 */
export async function identify(settings: NodeSettings): Promise<Omit<Node, "startedAt">> {
  const { name, dataDir } = settings;
  await prepareDataDir(dataDir);
  refuseHalfRestored(dataDir);
  return { id: settings.id ?? await keptId(join(dataDir, "node.id")), name, version, dataDir };
}

async function keptId(path: string): Promise<string> {
  let kept = await read(path);
  if (kept === undefined) {
    try {
      await createFileAtomically(path, `hub-${randomBytes(6).toString("hex")}\n`);
    } catch (error) {
      throw unusable(path, error);
    }
    kept = await read(path); // another process may have been first
  }
  if (!/^hub-[0-9a-f]{12}$/.test(kept ?? "")) throw unusable(path);
  return kept!;
}

async function read(path: string): Promise<string | undefined> {
  try {
    return new TextDecoder().decode(await readLimited(path, 1024)).trim();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw unusable(path, error);
  }
}

function unusable(path: string, cause?: unknown): ConfigurationError {
  const state = cause ? readFailure(cause) : 'it does not hold "hub-" and twelve hex digits';
  const advice = "mend it, or set node.id; a new id makes this host a stranger to the others";
  return new ConfigurationError([`Cannot use the node id in "${path}": ${state}; ${advice}`], { cause });
}
