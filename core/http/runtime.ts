/** What the socket tells about a request. */
export interface Peer {
  readonly remoteAddr: { readonly hostname: string };
  /** Settles when the answer has been sent to its end, or can no longer be. */
  readonly completed: Promise<void>;
}

/** Answers one request; never throws or rejects. */
export type RequestHandler = (request: Request, peer: Peer) => Response | Promise<Response>;

/** Where to listen, and who answers. */
export interface ListenOptions {
  /** Name or address, IPv6 without brackets. */
  readonly hostname: string;
  /** 0 = any free one. */
  readonly port: number;
  readonly handler: RequestHandler;
}

/** The listening server of a runtime. */
export interface RuntimeServer {
  /** The address it listens on. */
  readonly hostname: string;
  readonly port: number;
  /** Takes no new connection; resolves when the last answer, streams included, has been sent. */
  finish(): Promise<void>;
  /** Cuts every connection. */
  cut(): Promise<void>;
}

/** The server's end of a WebSocket; after the end its methods do nothing. */
export interface RawSocket {
  readonly bufferedAmount: number;
  /** As in the browser: 0 connecting, 1 open, 2 closing, 3 closed. */
  readonly readyState: number;
  send(text: string): void;
  close(code: number, reason: string): void;
}

/** What happens to a WebSocket. */
export interface RawSocketEvents {
  open(): void;
  message(data: string | Uint8Array): void;
  error(error: unknown): void;
  /** Always the last one. */
  close(event: { readonly code: number; readonly reason: string }): void;
}

/** What a server needs and every runtime does in its own way. */
export interface Runtime {
  /** Throws where the address cannot be had; `isTaken` tells whether somebody else has it. */
  listen(options: ListenOptions): RuntimeServer;
  isTaken(error: unknown): boolean;
  /** Turns the request into a WebSocket; return the response as it is. Throws TypeError where it is no handshake. */
  upgrade(request: Request, events: RawSocketEvents): { socket: RawSocket; response: Response };
}
