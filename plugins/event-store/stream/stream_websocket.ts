import { problemBody, problemOf } from "../../../core/http/problem.ts";
import type { Problem } from "../../../core/errors.ts";
import type { Socket, SocketHandlers } from "../../../core/http/serve.ts";
import { pause } from "../../../core/supervise.ts";
import { batchFrames, eventFrame } from "./event_frames.ts";
import type { OpenStream } from "./live_streams.ts";
import type { EventRow } from "../tables.ts";

/** Bytes that may wait inside a socket before we stop feeding it; the bounded buffer behind it takes over then. */
const maxBufferedBytes = 1 << 20;
/** A WebSocket does not say when it has room again; it is asked this often. */
const drainPollMs = 5;
const open = 1;

/** RFC 6455 "going away". */
const goingAway = 1001;

export interface WebsocketOptions {
  readonly correlationId: string;
  /** Whether a message is an array of events, as many as there are, rather than one event. */
  readonly batch: boolean;
}

/** Sends a stream over a WebSocket as JSON texts; a failure is a last one `{"error": problem}` and a close code. */
export function websocketHandlers(
  stream: OpenStream,
  { correlationId, batch }: WebsocketOptions,
): SocketHandlers {
  return {
    onOpen: (socket) => {
      const fail = (error: unknown) => {
        const problem = problemOf(error);
        socket.send(JSON.stringify({ error: problemBody(problem, correlationId) }));
        socket.close(closeCode(problem), problem.code);
      };
      stream.failure.addEventListener("abort", () => fail(stream.failure.reason), { once: true });
      void pump(stream, socket, { batch }).catch(fail).finally(() => stream.close());
    },
    onClose: () => stream.close(),
  };
}

async function pump(stream: OpenStream, socket: Socket, options: { batch: boolean }): Promise<void> {
  for await (const rows of stream.feed) {
    send(socket, rows, options);
    while (socket.bufferedAmount > maxBufferedBytes && !stream.signal.aborted) {
      await pause(drainPollMs, stream.signal);
    }
  }
  socket.close(goingAway, "the agent is stopping; connect again with after_seq of the last event seen");
}

function send(socket: Socket, rows: readonly EventRow[], { batch }: { batch: boolean }): void {
  for (const frame of batch ? batchFrames(rows) : rows.map(eventFrame)) {
    if (socket.readyState > open) return;
    socket.send(frame);
  }
}

/** The HTTP status, in the range of codes that is free for applications: 4401, 4429, 4500. */
function closeCode(problem: Problem): number {
  return 4000 + problem.status;
}
