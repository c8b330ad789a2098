import { within } from "./wait_for.ts";

const encoder = new TextEncoder();

/** What came back over a plain connection. */
export interface RawAnswer {
  /** Status of the first answer; undefined where the connection was closed without one. */
  readonly status: number | undefined;
  /** Everything that was received, as Latin-1. */
  readonly text: string;
}

/**
 * Sends bytes as they are, says that no more will come, and reads until the other side closes; rejects when that takes
 * over 10 s. A connection that is reset counts as closed.
 */
export async function rawRequest(url: string, ...parts: (string | Uint8Array)[]): Promise<RawAnswer> {
  const { hostname, port } = new URL(url);
  using connection = await Deno.connect({ hostname, port: Number(port) });
  const received: Uint8Array[] = [];
  const reading = (async () => {
    const buffer = new Uint8Array(64 * 1024);
    for (;;) {
      const count = await connection.read(buffer).catch(lost);
      if (count === null) return;
      received.push(buffer.slice(0, count));
    }
  })();
  const writing = (async () => {
    for (const part of parts) {
      await writeAll(connection, typeof part === "string" ? encoder.encode(part) : part);
    }
    await connection.closeWrite();
  })().catch(lost);
  await within(Promise.all([reading, writing]), { what: "the end of the connection", timeoutMs: 10_000 });
  const text = received.map((bytes) => new TextDecoder("latin1").decode(bytes)).join("");
  const status = /^HTTP\/1\.[01] (\d{3}) /.exec(text)?.[1];
  return { status: status === undefined ? undefined : Number(status), text };
}

async function writeAll(connection: Deno.TcpConn, bytes: Uint8Array): Promise<void> {
  for (let written = 0; written < bytes.length;) written += await connection.write(bytes.subarray(written));
}

function lost(error: unknown): null {
  const ours = [Deno.errors.ConnectionReset, Deno.errors.BrokenPipe, Deno.errors.NotConnected];
  if (ours.some((type) => error instanceof type)) return null;
  throw error;
}
