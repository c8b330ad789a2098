import { createPrivateKey, generateKeyPairSync, type KeyObject } from "node:crypto";
import { mkdir, readFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { createFileAtomically } from "../../../core/data_dir.ts";
import { messageOf } from "../../../core/errors.ts";

/** Where it lies below the data folder. */
export const anchorKeyFile = "event-store/anchor.key";

/**
 * The agent's own key (Ed25519) for signing off what retention removes, from `<dataDir>/event-store/anchor.key`; made,
 * with mode 0600, where there is none yet. Rejects where the file holds something else.
 */
export async function loadAnchorKey(dataDir: string): Promise<KeyObject> {
  const path = join(dataDir, anchorKeyFile);
  const stored = await readFile(path, "utf8").catch(unlessMissing);
  if (stored !== undefined) return parse(stored, path);
  await mkdir(dirname(path), { recursive: true, mode: 0o700 });
  const text = generateKeyPairSync("ed25519").privateKey.export({ format: "pem", type: "pkcs8" });
  await createFileAtomically(path, String(text));
  return parse(await readFile(path, "utf8"), path);
}

function unlessMissing(error: NodeJS.ErrnoException): undefined {
  if (error.code !== "ENOENT") throw error;
}

function parse(text: string, path: string): KeyObject {
  let key: KeyObject;
  try {
    key = createPrivateKey(text);
  } catch (cause) {
    throw new Error(
      `Cannot use "${path}": it holds no private key (${
        messageOf(cause)
      }); move it away and a new one is made`,
      { cause },
    );
  }
  if (key.asymmetricKeyType === "ed25519") return key;
  throw new Error(`Cannot use "${path}": it holds no Ed25519 key; move it away and a new one is made`);
}
