import { createHash, timingSafeEqual } from "node:crypto";
import { Buffer } from "node:buffer";

/** The digest a download must have, written down here beside its address. */
export interface Digest {
  readonly algorithm: "sha256" | "sha512";
  readonly encoding: "hex" | "base64";
  readonly value: string;
}

const connectMs = 10_000;
const totalMs = 180_000;
const sizeLimitBytes = 200 * 1024 * 1024;

/** Downloads a file and returns its bytes; rejects when it is slow (10 s to answer, 3 min in all), too big or altered. */
export async function download(url: string, digest: Digest): Promise<Uint8Array<ArrayBuffer>> {
  const abort = new AbortController();
  const cancel = (what: string) => () => abort.abort(new Error(`${what} took too long`));
  const connecting = setTimeout(cancel("the answer"), connectMs);
  const loading = setTimeout(cancel("the download"), totalMs);
  try {
    const answer = await fetch(url, { signal: abort.signal });
    clearTimeout(connecting);
    if (!answer.ok || answer.body === null) {
      await answer.body?.cancel();
      throw new Error(`the answer was ${answer.status}`);
    }
    return await readChecked(answer.body, digest);
  } catch (cause) {
    throw new Error(`Cannot download "${url}": ${reason(cause)}`, { cause });
  } finally {
    clearTimeout(connecting);
    clearTimeout(loading);
  }
}

// fetch itself only says that it failed.
function reason(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return error.cause === undefined ? error.message : reason(error.cause);
}

async function readChecked(
  body: ReadableStream<Uint8Array<ArrayBuffer>>,
  { algorithm, encoding, value }: Digest,
): Promise<Uint8Array<ArrayBuffer>> {
  const parts: Uint8Array<ArrayBuffer>[] = [];
  const hash = createHash(algorithm);
  let sizeBytes = 0;
  for await (const part of body) {
    sizeBytes += part.length;
    if (sizeBytes > sizeLimitBytes) throw new Error(`it is larger than ${sizeLimitBytes} bytes`);
    hash.update(part);
    parts.push(part);
  }
  const actual = hash.digest();
  const expected = Buffer.from(value, encoding);
  if (actual.length !== expected.length || !timingSafeEqual(actual, expected)) {
    throw new Error(`its ${algorithm} is ${actual.toString(encoding)}, not ${value}`);
  }
  return new Uint8Array(await new Blob(parts).arrayBuffer());
}
