import type { IncomingMessage } from "node:http";
import { FetchError } from "./fetch_error.ts";

/** Limits of one body. */
export interface BodyLimits {
  readonly origin: string;
  readonly maxBytes: number;
  /** Milliseconds of silence. */
  readonly idleMs: number;
}

/**
 * The bytes of an answer as they come over the wire, bounded in size and silence. Throws FetchError `too_large`,
 * `timeout`, or `connection` where it breaks off.
 */
export async function* wireBytes(
  message: IncomingMessage,
  { origin, maxBytes, idleMs }: BodyLimits,
): AsyncGenerator<Uint8Array> {
  const announced = Number(message.headers["content-length"] ?? 0);
  if (announced > maxBytes) throw tooLarge(origin, maxBytes);
  let timer: ReturnType<typeof setTimeout> | undefined;
  const watch = () => {
    clearTimeout(timer);
    timer = setTimeout(() => message.destroy(silence), idleMs);
  };
  const silence = new FetchError("timeout", {
    origin,
    state: `nothing more came for ${idleMs} ms (fetch.idle_timeout)`,
    sent: true,
  });
  let received = 0;
  try {
    watch();
    for await (const chunk of message as AsyncIterable<Uint8Array>) {
      received += chunk.length;
      if (received > maxBytes) throw tooLarge(origin, maxBytes);
      clearTimeout(timer); // while we are not listening, the silence is ours
      yield chunk;
      watch();
    }
  } catch (error) {
    if (error instanceof FetchError || message.errored instanceof FetchError) {
      throw message.errored instanceof FetchError ? message.errored : error;
    }
    const state = `the answer broke off after ${received} bytes`;
    throw new FetchError("connection", { origin, state, cause: error, sent: true });
  } finally {
    clearTimeout(timer);
    message.destroy();
  }
}

/** What to throw where a body is larger than `maxBytes`. */
export function tooLarge(origin: string, maxBytes: number): FetchError {
  const state = `the body is larger than ${maxBytes} bytes; fetch.max_body and maxBodyBytes limit it`;
  return new FetchError("too_large", { origin, state, sent: true });
}
