import { Buffer } from "node:buffer";
import { connect as connectTcp, isIP, type Socket } from "node:net";
import { connect as connectTls, TLSSocket } from "node:tls";
import type { Transport } from "./nats_connection.ts";

type Server = Parameters<Transport["connect"]>[0];
type Options = Parameters<Transport["connect"]>[1];

/** A server's greeting is far shorter; whatever sends more is no NATS server. */
const maxGreetingBytes = 64 * 1024;

/**
 * The socket below the NATS client. The client's own one takes its listeners off a socket before it closes it; when
 * the server resets the connection at that moment, the error has nobody to go to and ends the process.
 */
export class NatsTransport implements Transport {
  readonly lang = "commandcenter";
  readonly version = "1";
  closeError?: Error;
  readonly #closed = Promise.withResolvers<void | Error>();
  #socket: Socket | undefined;
  #frames: Uint8Array[] = [];
  #changed = Promise.withResolvers<void>();
  #connected = false;
  #ended = false;

  /** Resolves after the server's greeting, encrypted where either side asks for it. */
  async connect(server: Server, options: Options): Promise<void> {
    const { hostname, port } = server;
    this.#hold(connectTcp({ host: hostname, port, noDelay: true }), "connect");
    const greeting = await this.#greeting();
    const offersTls = greeting.tls_required === true || greeting.tls_available === true;
    if (options.tls && !offersTls) throw new Error("the server does not offer TLS");
    if (offersTls && options.tls !== null) await this.#encrypt(hostname, options);
    this.#connected = true;
  }

  get isClosed(): boolean {
    return this.#ended;
  }

  isEncrypted(): boolean {
    return this.#socket instanceof TLSSocket;
  }

  async *[Symbol.asyncIterator](): AsyncIterableIterator<Uint8Array> {
    for (;;) {
      yield* this.#frames.splice(0);
      if (this.#frames.length > 0) continue;
      if (this.#ended) return;
      await this.#changed.promise;
    }
  }

  send(frame: Uint8Array): void {
    if (!this.#ended) this.#socket?.write(frame);
  }

  close(error?: Error): Promise<void> {
    this.#end(error);
    return Promise.resolve();
  }

  disconnect(): void {
    this.#end();
  }

  discard(): void {
    this.#end();
  }

  /** Only of what was connected: the client goes on to its next server otherwise. */
  closed(): Promise<void | Error> {
    return this.#closed.promise;
  }

  /** From now on this socket is ours, and its errors end in `closeError`, also long after we are done with it. */
  #hold(socket: Socket, ready: "connect" | "secureConnect"): void {
    this.#socket = socket;
    socket.on("error", (error) => this.#end(error));
    socket.on("close", () => this.#end());
    socket.on(ready, () => this.#wake());
    socket.on("data", (frame: Uint8Array) => {
      this.#frames.push(frame);
      this.#wake();
    });
  }

  async #greeting(): Promise<Record<string, unknown>> {
    for (;;) {
      await this.#change();
      const text = Buffer.concat(this.#frames).toString("latin1");
      const match = /^INFO\s+([^\r\n]+)\r\n/i.exec(text);
      if (match?.[1]) return JSON.parse(match[1]);
      if (text.includes("\r\n") || text.length > maxGreetingBytes) {
        throw new Error("whoever answers there is no NATS server");
      }
    }
  }

  async #encrypt(hostname: string, { tls }: Options): Promise<void> {
    const plain = this.#socket;
    if (!plain) return;
    plain.removeAllListeners("data").removeAllListeners("close");
    const socket = connectTls({
      ...tls,
      socket: plain,
      // Names only: an address is compared with the certificate all the same.
      servername: isIP(hostname) ? "" : hostname,
      rejectUnauthorized: true,
    });
    this.#hold(socket, "secureConnect");
    while (!socket.authorized) await this.#change();
  }

  /** Resolves at the next sign of life. Rejects when the socket is closed. */
  async #change(): Promise<void> {
    if (!this.#ended) await this.#changed.promise;
    if (this.#ended) throw this.closeError ?? new Error("the server closed the connection");
  }

  #wake(): void {
    const { resolve } = this.#changed;
    this.#changed = Promise.withResolvers<void>();
    resolve();
  }

  #end(error?: Error): void {
    if (this.#ended) return;
    this.#ended = true;
    if (error) this.closeError = error;
    this.#socket?.destroy();
    this.#wake();
    if (this.#connected) this.#closed.resolve(error);
  }
}
