import { createParser, type EventSourceMessage } from "eventsource-parser";

/** A message may be as large as an event, and no larger than this. */
const maxMessageChars = 64 * 1024 * 1024;

/** The connection ended in a way that trying again may mend. */
export class StreamBroken extends Error {
  override readonly name = "StreamBroken";
}

/**
 * The messages of a `text/event-stream` body until it ends. Throws StreamBroken when nothing arrives for
 * `idleTimeoutMs` (keepalives count) or the connection breaks, and Error for a message beyond every bound.
 */
export async function* readEventStream(
  body: ReadableStream<Uint8Array>,
  options: { idleTimeoutMs: number },
): AsyncGenerator<EventSourceMessage> {
  const messages: EventSourceMessage[] = [];
  let fault: Error | undefined;
  const parser = createParser({
    onEvent: (message) => void messages.push(message),
    onError: (error) => {
      if (error.type === "max-buffer-size-exceeded") fault = error;
    },
    maxBufferSize: maxMessageChars,
  });
  const reader = body.getReader();
  const decoder = new TextDecoder();
  try {
    while (true) {
      const chunk = await inTime(reader.read(), options.idleTimeoutMs);
      if (chunk.done) return;
      parser.feed(decoder.decode(chunk.value, { stream: true }));
      yield* messages.splice(0);
      if (fault) throw fault;
    }
  } finally {
    await reader.cancel().catch(() => {}); // it may be broken already, which the loop above has told
  }
}

async function inTime<Result>(work: Promise<Result>, timeoutMs: number): Promise<Result> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const silence = new Promise<never>((_, reject) => {
    timer = setTimeout(
      () => reject(new StreamBroken(`nothing arrived for ${timeoutMs / 1000} s`)),
      timeoutMs,
    );
  });
  try {
    return await Promise.race([work, silence]);
  } catch (error) {
    if (error instanceof StreamBroken) throw error;
    throw new StreamBroken("the connection broke", { cause: error });
  } finally {
    clearTimeout(timer);
  }
}
