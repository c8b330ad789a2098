import { problemBody, problemOf } from "../../../core/http/problem.ts";
import { eventJson } from "../read/event_json.ts";
import type { OpenStream } from "./live_streams.ts";
import type { EventRow } from "../tables.ts";

const encoder = new TextEncoder();

export interface SseOptions {
  readonly keepaliveMs: number;
  readonly correlationId: string;
  /** What to say when the events have come to an end by themselves. */
  readonly endFrame?: () => Promise<string>;
}

/**
 * A stream as server-sent events: `id:` is the sequence, `data:` the event. The client's own pace decides how fast it
 * is read; a comment keeps an idle connection alive; a failure is a last `event: error` with a problem as data.
 */
export function sseResponse(
  stream: OpenStream,
  { keepaliveMs, correlationId, endFrame }: SseOptions,
): Response {
  let pending: Promise<IteratorResult<readonly EventRow[], void>> | undefined;
  let ended = false;
  const end = (controller: ReadableStreamDefaultController<Uint8Array>, error?: unknown) => {
    if (ended) return;
    ended = true;
    if (error !== undefined) controller.enqueue(encoder.encode(errorFrame(error, correlationId)));
    controller.close();
    stream.close();
  };
  const body = new ReadableStream<Uint8Array>({
    start: (controller) => {
      controller.enqueue(encoder.encode("retry: 2000\n: connected\n\n"));
      stream.failure.addEventListener("abort", () => end(controller, stream.failure.reason), {
        once: true,
      });
    },
    pull: async (controller) => {
      try {
        pending ??= stream.feed.next();
        const next = await withKeepalive(pending, keepaliveMs);
        if (ended) return;
        if (next === "silence") return controller.enqueue(encoder.encode(": keepalive\n\n"));
        pending = undefined;
        if (next.done && endFrame && !stream.signal.aborted) {
          controller.enqueue(encoder.encode(await endFrame()));
        }
        if (next.done) end(controller);
        else controller.enqueue(encoder.encode(frames(next.value)));
      } catch (error) {
        end(controller, error);
      }
    },
    cancel: () => {
      ended = true;
      stream.close();
    },
  });
  return new Response(body, {
    headers: {
      "content-type": "text/event-stream; charset=utf-8",
      "cache-control": "no-cache, no-transform",
      "x-accel-buffering": "no",
    },
  });
}

function errorFrame(error: unknown, correlationId: string): string {
  return `event: error\ndata: ${JSON.stringify(problemBody(problemOf(error), correlationId))}\n\n`;
}

function frames(rows: readonly EventRow[]): string {
  let text = "";
  for (const row of rows) text += `id: ${row.seq}\ndata: ${eventJson(row)}\n\n`;
  return text;
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
