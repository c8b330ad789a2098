import { type Duplex, pipeline, Readable } from "node:stream";
import {
  createBrotliDecompress,
  createGunzip,
  createInflate,
  createInflateRaw,
  createZstdDecompress,
} from "node:zlib";
import { type BodyLimits, tooLarge } from "./body_source.ts";
import { FetchError } from "./fetch_error.ts";

/** What `unpack` can undo, as it is offered to the other side. */
export const acceptedEncodings = "gzip, deflate, br, zstd";

/** Encodings on top of each other; more of them only serve to multiply a bomb. */
const maxLayers = 2;

type Bytes = AsyncIterable<Uint8Array>;

const unpackers: Readonly<Record<string, (packed: Bytes) => Promise<Bytes> | Bytes>> = {
  gzip: (packed) => through(packed, createGunzip()),
  "x-gzip": (packed) => through(packed, createGunzip()),
  br: (packed) => through(packed, createBrotliDecompress()),
  zstd: (packed) => through(packed, createZstdDecompress()),
  deflate: inflate,
};

/** The encodings that `content-encoding` names, outermost last. Throws FetchError `bad_response` for unknown ones. */
export function encodingsOf(header: string | null, origin: string): string[] {
  const named = (header ?? "").split(",").map((name) => name.trim().toLowerCase());
  const encodings = named.filter((name) => name !== "" && name !== "identity");
  const unknown = encodings.find((name) => !Object.hasOwn(unpackers, name));
  const fault = unknown !== undefined
    ? `it is packed in a way that nobody asked for (${JSON.stringify(unknown.slice(0, 40))})`
    : encodings.length > maxLayers
    ? "it is packed too many times over"
    : undefined;
  if (fault) throw new FetchError("bad_response", { origin, state: fault, sent: true });
  return encodings;
}

/** Undoes the encodings, bounded in what comes out, too. Throws FetchError `too_large` or `bad_response`. */
export async function* unpack(
  packed: Bytes,
  { encodings, origin, maxBytes }: { encodings: readonly string[] } & BodyLimits,
): AsyncGenerator<Uint8Array> {
  let unpacked = 0;
  try {
    const { first, all } = await peek(packed);
    if (!first) return; // nothing at all is nothing, however it is said to be packed
    let bytes: Bytes = all;
    for (const name of encodings.toReversed()) bytes = await unpackers[name]!(bytes);
    for await (const chunk of bytes) {
      unpacked += chunk.length;
      if (unpacked > maxBytes) throw tooLarge(origin, maxBytes);
      yield chunk;
    }
  } catch (error) {
    if (error instanceof FetchError) throw error;
    const state = `the body cannot be unpacked (${(error as NodeJS.ErrnoException).code ?? error})`;
    throw new FetchError("bad_response", { origin, state, cause: error, sent: true });
  }
}

/** "deflate" means zlib, but many send it without its header. */
async function inflate(packed: Bytes): Promise<Bytes> {
  const { first, all } = await peek(packed);
  const hasHeader = first !== undefined && (first[0]! & 0x0f) === 8;
  return through(all, hasHeader ? createInflate() : createInflateRaw());
}

/** The first chunk that is not empty, and everything with it. */
async function peek(bytes: Bytes): Promise<{ first: Uint8Array | undefined; all: Bytes }> {
  const chunks = bytes[Symbol.asyncIterator]();
  let next = await chunks.next();
  while (!next.done && next.value.length === 0) next = await chunks.next();
  const first = next.done ? undefined : next.value;
  async function* all() {
    if (!first) return;
    yield first;
    yield* { [Symbol.asyncIterator]: () => chunks };
  }
  return { first, all: all() };
}

async function* through(packed: Bytes, unpacker: Duplex): AsyncGenerator<Uint8Array> {
  // An error of the source comes out of the unpacker, and one who stops reading stops the source.
  pipeline(Readable.from(packed, { objectMode: true }), unpacker, () => {});
  yield* unpacker as AsyncIterable<Uint8Array>;
}
