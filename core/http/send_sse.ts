import type { Context } from "hono";
import type { HttpEnv } from "./env.ts";
import type { OpenStream } from "./open_streams.ts";
import { problemBody, problemOf } from "./problem.ts";

const encoder = new TextEncoder();

/** What every answer of server-sent events says of itself. */
export const sseHeaders = {
  "content-type": "text/event-stream; charset=utf-8",
  "cache-control": "no-cache, no-transform",
  "x-accel-buffering": "no",
} as const;

export interface SseOptions<Item> {
  /** Silence after which a comment keeps the connection alive, in milliseconds. */
  readonly keepaliveMs: number;
  readonly correlationId: string;
  /** The frames of some items, each `data: …` with its empty line. */
  readonly frames: (items: readonly Item[]) => string | Promise<string>;
  /** What to say when the items have come to an end by themselves. */
  readonly endFrame?: () => Promise<string>;
}

/** The answer to HEAD on a stream: Hono drops a body without cancelling it, and the stream would stay open for ever. */
export function sseHead(c: Context<HttpEnv>): Response {
  return c.body(null, 200, sseHeaders);
}

/** One frame: an event with a JSON value. */
export function sseFrame(event: string, data: unknown): string {
  return `event: ${event}\ndata: ${JSON.stringify(data)}\n\n`;
}

/**
 * A stream as server-sent events. The client's own pace decides how fast it is read; a comment keeps an idle connection
 * alive; a failure is a last `event: error` with a problem as data.
 */
export function sseResponse<Item>(
  stream: OpenStream<Item>,
  { keepaliveMs, correlationId, frames, endFrame }: SseOptions<Item>,
): Response {
  let pending: Promise<IteratorResult<readonly Item[], void>> | undefined;
  let ended = false;
  const end = (controller: ReadableStreamDefaultController<Uint8Array>, error?: unknown) => {
    if (ended) return;
    ended = true;
    if (error !== undefined) {
      controller.enqueue(encoder.encode(sseFrame("error", problemBody(problemOf(error), correlationId))));
    }
    controller.close();
    stream.close();
  };
  const body = new ReadableStream<Uint8Array>({
    start: (controller) => {
      controller.enqueue(encoder.encode("retry: 2000\n: connected\n\n"));
      stream.failure.addEventListener("abort", () => end(controller, stream.failure.reason), { once: true });
    },
    pull: async (controller) => {
      try {
        pending ??= stream.feed.next();
        const next = await withKeepalive(pending, keepaliveMs);
        if (ended) return;
        if (next === "silence") return controller.enqueue(encoder.encode(": keepalive\n\n"));
        pending = undefined;
        const isOver = next.done === true && endFrame !== undefined && !stream.signal.aborted;
        const text = isOver ? await endFrame() : next.done ? "" : await frames(next.value);
        if (ended) return;
        if (text !== "") controller.enqueue(encoder.encode(text));
        if (next.done) end(controller);
      } catch (error) {
        end(controller, error);
      }
    },
    cancel: () => {
      ended = true;
      stream.close();
    },
  });
  return new Response(body, { headers: sseHeaders });
}

async function withKeepalive<Result>(
  pending: Promise<Result>,
  keepaliveMs: number,
): Promise<Result | "silence"> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const silence = new Promise<"silence">((resolve) =>
    timer = setTimeout(() => resolve("silence"), keepaliveMs)
  );
  try {
    return await Promise.race([pending, silence]);
  } finally {
    clearTimeout(timer);
  }
}
