import { sendAll } from "./http_connection.ts";

const textFrame = 0x81;

/** A WebSocket client that only reads, and copies no message: 200 of them have to share one core with the rest. */
export class WebsocketReader implements Disposable {
  readonly #connection: Deno.TcpConn;
  #buffer = new Uint8Array(256 * 1024);
  #end = 0;

  private constructor(connection: Deno.TcpConn) {
    this.#connection = connection;
  }

  /** Connects to an `http:` address and upgrades. */
  static async open(url: string, { key }: { key?: string } = {}): Promise<WebsocketReader> {
    const { hostname, port, host, pathname, search } = new URL(url);
    const connection = await Deno.connect({ hostname, port: Number(port) });
    const lines = [
      `GET ${pathname}${search} HTTP/1.1`,
      `host: ${host}`,
      "upgrade: websocket",
      "connection: Upgrade",
      "sec-websocket-version: 13",
      "sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==",
      ...(key === undefined ? [] : [`authorization: Bearer ${key}`]),
    ];
    await sendAll(connection, new TextEncoder().encode(lines.join("\r\n") + "\r\n\r\n"));
    const reader = new WebsocketReader(connection);
    await reader.#readHead();
    return reader;
  }

  /** Calls back with every text message, as a part of a buffer that is used again, until the connection ends. */
  async read(onMessage: (text: Uint8Array) => void): Promise<void> {
    try {
      do this.#take(onMessage); while (await this.#fill());
    } catch (error) {
      if (!(error instanceof Deno.errors.BadResource || error instanceof Deno.errors.Interrupted)) {
        throw error;
      }
    }
  }

  async #readHead(): Promise<void> {
    while (await this.#fill()) {
      const text = new TextDecoder("latin1").decode(this.#buffer.subarray(0, this.#end));
      const headEnd = text.indexOf("\r\n\r\n");
      if (headEnd < 0) continue;
      if (!text.startsWith("HTTP/1.1 101")) {
        throw new Error(`Cannot open "a WebSocket": the answer is\n${text}`);
      }
      this.#drop(headEnd + 4);
      return;
    }
    throw new Error(`Cannot open "a WebSocket": the connection ended early`);
  }

  #take(onMessage: (text: Uint8Array) => void): void {
    const buffer = this.#buffer;
    let start = 0;
    while (this.#end - start >= 4) {
      const short = buffer[start + 1]! & 0x7f;
      if (short === 127) throw new Error(`Cannot read "a WebSocket": a message is larger than 64 KiB`);
      const bodyStart = start + (short === 126 ? 4 : 2);
      const bodyEnd = bodyStart + (short === 126 ? buffer[start + 2]! * 256 + buffer[start + 3]! : short);
      if (bodyEnd > this.#end) break;
      if (buffer[start] === textFrame) onMessage(buffer.subarray(bodyStart, bodyEnd));
      start = bodyEnd;
    }
    this.#drop(start);
  }

  async #fill(): Promise<boolean> {
    const read = await this.#connection.read(this.#buffer.subarray(this.#end));
    this.#end += read ?? 0;
    return read !== null;
  }

  #drop(count: number): void {
    if (count === 0) return;
    this.#buffer.copyWithin(0, count, this.#end);
    this.#end -= count;
  }

  [Symbol.dispose](): void {
    this.#connection.close();
  }
}
