import { problemBody, problemOf } from "../http/problem.ts";
import type { Socket, SocketHandlers } from "../http/serve.ts";
import { pause } from "../supervise.ts";
import type { JobStream } from "./job_streams.ts";
import type { JobSummary } from "./job_tables.ts";

/** Bytes that may wait inside a socket before we stop feeding it. */
const maxBufferedBytes = 1 << 20;
/** A WebSocket does not say when it has room again; it is asked this often. */
const drainPollMs = 5;
/** RFC 6455: done, and going away. */
const doneCode = 1000;
const goingAwayCode = 1001;

const encoder = new TextEncoder();

export interface SendOptions {
  readonly correlationId: string;
  readonly keepaliveMs: number;
  /** The JSON text of a job. */
  readonly text: (row: JobSummary) => string | Promise<string>;
}

/**
 * Jobs as server-sent events, each change one `data:`. The client's pace decides how fast it is read; a comment keeps an
 * idle connection alive; a failure is a last `event: error` with a problem as data.
 */
export function sseResponse(stream: JobStream, { correlationId, keepaliveMs, text }: SendOptions): Response {
  let pending: Promise<IteratorResult<readonly JobSummary[], void>> | undefined;
  let ended = false;
  const end = (controller: ReadableStreamDefaultController<Uint8Array>, error?: unknown) => {
    if (ended) return;
    ended = true;
    if (error !== undefined) {
      const body = JSON.stringify(problemBody(problemOf(error), correlationId));
      controller.enqueue(encoder.encode(`event: error\ndata: ${body}\n\n`));
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
        if (next.done) return end(controller);
        const texts = await Promise.all(next.value.map(text));
        if (!ended) controller.enqueue(encoder.encode(texts.map((each) => `data: ${each}\n\n`).join("")));
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

/** Jobs over a WebSocket, one JSON text each; a failure is a last one `{"error": problem}` and a close code of 4000 + status. */
export function websocketHandlers(
  stream: JobStream,
  { correlationId, text }: Omit<SendOptions, "keepaliveMs">,
): SocketHandlers {
  return {
    onOpen: (socket) => {
      const fail = (error: unknown) => {
        const problem = problemOf(error);
        socket.send(JSON.stringify({ error: problemBody(problem, correlationId) }));
        socket.close(4000 + problem.status, problem.code);
      };
      stream.failure.addEventListener("abort", () => fail(stream.failure.reason), { once: true });
      void pump(stream, { socket, text }).catch(fail).finally(() => stream.close());
    },
    onClose: () => stream.close(),
  };
}

async function pump(
  stream: JobStream,
  { socket, text }: { socket: Socket; text: SendOptions["text"] },
): Promise<void> {
  for await (const rows of stream.feed) {
    for (const row of rows) socket.send(await text(row));
    while (socket.bufferedAmount > maxBufferedBytes && !stream.signal.aborted) {
      await pause(drainPollMs, stream.signal);
    }
  }
  if (stream.signal.aborted) socket.close(goingAwayCode, "the agent is stopping; connect again");
  else socket.close(doneCode, "the job has ended");
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
