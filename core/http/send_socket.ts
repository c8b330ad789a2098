import { pause } from "../supervise.ts";
import type { OpenStream } from "./open_streams.ts";
import { problemBody, problemOf } from "./problem.ts";
import type { Socket, SocketHandlers } from "./serve.ts";

/** Bytes that may wait inside a socket before we stop feeding it; the bounded buffer behind it takes over then. */
const maxBufferedBytes = 1 << 20;
/** A WebSocket does not say when it has room again; it is asked this often. */
const drainPollMs = 5;
const open = 1;
/** RFC 6455: done, and going away. */
const doneCode = 1000;
const goingAwayCode = 1001;

export interface SocketStreamOptions<Item> {
  readonly correlationId: string;
  /** The messages of some items. */
  readonly messages: (items: readonly Item[]) => readonly string[] | Promise<readonly string[]>;
  /** How to go on where the agent ends the stream because it stops. */
  readonly advice: string;
  /** Why the stream is over where it came to its own end. */
  readonly done?: string;
}

/**
 * Sends a stream over a WebSocket. A failure is a last message `{"error": problem}` and a close code of 4000 + its HTTP
 * status, in the range that is free for applications: 4401, 4429, 4500.
 */
export function websocketHandlers<Item>(
  stream: OpenStream<Item>,
  options: SocketStreamOptions<Item>,
): SocketHandlers {
  return {
    onOpen: (socket) => {
      const fail = (error: unknown) => {
        const problem = problemOf(error);
        socket.send(JSON.stringify({ error: problemBody(problem, options.correlationId) }));
        socket.close(4000 + problem.status, problem.code);
      };
      stream.failure.addEventListener("abort", () => fail(stream.failure.reason), { once: true });
      void pump(stream, socket, options).catch(fail).finally(() => stream.close());
    },
    onClose: () => stream.close(),
  };
}

async function pump<Item>(
  stream: OpenStream<Item>,
  socket: Socket,
  { messages, advice, done }: SocketStreamOptions<Item>,
): Promise<void> {
  for await (const items of stream.feed) {
    for (const message of await messages(items)) {
      if (socket.readyState > open) break;
      socket.send(message);
    }
    while (socket.bufferedAmount > maxBufferedBytes && !stream.signal.aborted) {
      await pause(drainPollMs, stream.signal);
    }
  }
  if (done !== undefined && !stream.signal.aborted) socket.close(doneCode, done);
  else socket.close(goingAwayCode, `the agent is stopping; ${advice}`);
}
