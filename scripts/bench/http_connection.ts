const decoder = new TextDecoder("latin1");

/**
 * One keep-alive connection that has one request under way at a time. It knows no more of HTTP/1.1 than answers with
 * a Content-Length, so that it costs about as little processor time as the sockets themselves.
 */
export class HttpConnection implements Disposable {
  readonly #connection: Deno.TcpConn;
  readonly #buffer = new Uint8Array(64 * 1024);

  private constructor(connection: Deno.TcpConn) {
    this.#connection = connection;
  }

  /** Connects to `http://host:port`. */
  static async open(url: string): Promise<HttpConnection> {
    const { hostname, port } = new URL(url);
    const connection = await Deno.connect({ hostname, port: Number(port) });
    connection.setNoDelay(true);
    return new HttpConnection(connection);
  }

  /** Sends a request and resolves when its answer is complete. Rejects on any other status than `expected`. */
  async exchange(request: Uint8Array, expected: number): Promise<void> {
    await sendAll(this.#connection, request);
    let size = 0;
    for (;;) {
      const read = await this.#connection.read(this.#buffer.subarray(size));
      if (read === null || read === 0) throw new Error(`Cannot read "an answer": the connection ended early`);
      size += read;
      const text = decoder.decode(this.#buffer.subarray(0, size));
      const headEnd = text.indexOf("\r\n\r\n");
      if (headEnd < 0) continue;
      const length = Number(/\r\ncontent-length: *(\d+)/i.exec(text)?.[1] ?? NaN);
      if (Number.isNaN(length)) {
        throw new Error(`Cannot read "an answer": it has no Content-Length:\n${text}`);
      }
      if (size < headEnd + 4 + length) continue;
      if (Number(text.slice(9, 12)) === expected) return;
      throw new Error(`Cannot go on: expected status ${expected}, got\n${text}`);
    }
  }

  [Symbol.dispose](): void {
    this.#connection.close();
  }
}

/** Writes all of it, also where the socket takes it in parts. */
export async function sendAll(connection: Deno.TcpConn, bytes: Uint8Array): Promise<void> {
  for (let sent = 0; sent < bytes.length;) sent += await connection.write(bytes.subarray(sent));
}

/** The bytes of a request; a body is sent as JSON. */
export function requestBytes(
  method: string,
  url: string,
  { key, body }: { key?: string; body?: string } = {},
): Uint8Array {
  const { host, pathname, search } = new URL(url);
  const encoded = body === undefined ? undefined : new TextEncoder().encode(body);
  const head = [
    `${method} ${pathname}${search} HTTP/1.1`,
    `host: ${host}`,
    ...(key === undefined ? [] : [`authorization: Bearer ${key}`]),
    ...(encoded === undefined ? [] : ["content-type: application/json", `content-length: ${encoded.length}`]),
  ];
  const bytes = new TextEncoder().encode(head.join("\r\n") + "\r\n\r\n");
  if (encoded === undefined) return bytes;
  const whole = new Uint8Array(bytes.length + encoded.length);
  whole.set(bytes);
  whole.set(encoded, bytes.length);
  return whole;
}
