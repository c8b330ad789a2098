import type { IncomingMessage } from "node:http";
import { type BodyLimits, wireBytes } from "./body_source.ts";
import { unpack } from "./unpack.ts";

/** Bytes that are read ahead: small answers end by themselves, whether or not anybody reads them. */
const readAheadBytes = 65_536;

/** How a body is read, and when reading ends. */
export interface BodyStreamOptions extends BodyLimits {
  readonly encodings: readonly string[];
  readonly signal: AbortSignal;
  /** Called once, when the connection is no longer needed. */
  readonly onEnd: (outcome: { readonly receivedBytes: number; readonly error?: unknown }) => void;
}

/** The body of an answer as the web has it: bounded, unpacked, and ended by the signal or by `cancel`. */
export function bodyStream(
  message: IncomingMessage,
  options: BodyStreamOptions,
): ReadableStream<Uint8Array<ArrayBuffer>> {
  const { signal, encodings, onEnd, idleMs } = options;
  let receivedBytes = 0;
  let ended = false;
  let unread: ReturnType<typeof setTimeout> | undefined;
  const end = (error?: unknown) => {
    if (ended) return;
    ended = true;
    clearTimeout(unread);
    signal.removeEventListener("abort", onAbort);
    message.destroy();
    chunks.return(undefined).catch(() => {}); // lets go of the unpackers; whatever is wrong has been told already
    onEnd({ receivedBytes, ...(error === undefined ? {} : { error }) });
  };
  let controller: ReadableStreamDefaultController<Uint8Array<ArrayBuffer>>;
  const fail = (error: unknown) => {
    if (ended) return;
    controller.error(error);
    end(error);
  };
  const onAbort = () => fail(signal.reason);
  async function* counted() {
    for await (const chunk of wireBytes(message, options)) {
      receivedBytes += chunk.length;
      yield chunk;
    }
  }
  const chunks = encodings.length > 0 ? unpack(counted(), options) : counted();
  return new ReadableStream<Uint8Array<ArrayBuffer>>({
    start(created) {
      controller = created;
      signal.addEventListener("abort", onAbort);
      if (signal.aborted) onAbort();
    },
    async pull() {
      clearTimeout(unread);
      try {
        const { done, value } = await chunks.next();
        if (ended) return;
        if (done) {
          controller.close();
          return end();
        }
        controller.enqueue(value as Uint8Array<ArrayBuffer>);
      } catch (error) {
        return fail(error);
      }
      // Whoever forgets a large body must not hold on to the host for good.
      const forgotten = new Error(`Nobody read the answer for ${idleMs} ms: read the body, or cancel it`);
      unread = setTimeout(() => fail(forgotten), idleMs);
    },
    cancel: (reason) => end(reason),
  }, { highWaterMark: readAheadBytes, size: (chunk) => chunk?.length ?? 0 });
}
