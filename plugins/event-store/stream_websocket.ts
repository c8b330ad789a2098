import { problemBody, problemOf } from "../../core/http/problem.ts";
import type { Problem } from "../../core/errors.ts";
import type { Socket, SocketHandlers } from "../../core/http/serve.ts";
import { pause } from "../../core/supervise.ts";
import { eventJson } from "./event_json.ts";
import type { OpenStream } from "./live_streams.ts";
import type { EventRow } from "./tables.ts";

/** Bytes that may wait inside a socket before we stop feeding it; the bounded buffer behind it takes over then. */
const maxBufferedBytes = 1 << 20;
/** A WebSocket does not say when it has room again; it is asked this often. */
const drainPollMs = 5;
const open = 1;

/** RFC 6455 "going away". */
const goingAway = 1001;

/** Sends a stream over a WebSocket, one JSON text per event; a failure is a last frame `{"error": problem}` and a close code. */
export function websocketHandlers(
  stream: OpenStream,
  { correlationId }: { correlationId: string },
): SocketHandlers {
  return {
    onOpen: (socket) => {
      const fail = (error: unknown) => {
        const problem = problemOf(error);
        socket.send(JSON.stringify({ error: problemBody(problem, correlationId) }));
        socket.close(closeCode(problem), problem.code);
      };
      stream.failure.addEventListener("abort", () => fail(stream.failure.reason), { once: true });
      void pump(stream, socket).catch(fail).finally(() => stream.close());
    },
    onClose: () => stream.close(),
  };
}

async function pump(stream: OpenStream, socket: Socket): Promise<void> {
  for await (const rows of stream.feed) {
    send(socket, rows);
    while (socket.bufferedAmount > maxBufferedBytes && !stream.signal.aborted) {
      await pause(drainPollMs, stream.signal);
    }
  }
  socket.close(goingAway, "the agent is stopping; connect again with after_seq of the last event seen");
}

function send(socket: Socket, rows: readonly EventRow[]): void {
  for (const row of rows) {
    if (socket.readyState > open) return;
    socket.send(frameOf(row));
  }
}

const frames = new WeakMap<EventRow, string>();

/** A live event is the same object for every connection: its text is made once. */
function frameOf(row: EventRow): string {
  let frame = frames.get(row);
  if (frame === undefined) frames.set(row, frame = eventJson(row));
  return frame;
}

/** The HTTP status, in the range of codes that is free for applications: 4401, 4429, 4500. */
function closeCode(problem: Problem): number {
  return 4000 + problem.status;
}
