import { createServer, type IncomingMessage, type RequestListener } from "node:http";
import { createServer as createTlsServer } from "node:https";
import { type AddressInfo, createServer as createRawServer, type Socket } from "node:net";
import type { LogProperties } from "../../core/log.ts";
import { getLogger } from "../../core/log.ts";
import type { FetchOptions } from "../../core/net/guarded_fetch.ts";
import type { GuardedResponse } from "../../core/net/guarded_response.ts";
import { OutgoingRequests, type OutgoingRequestsOptions } from "../../core/net/outgoing_requests.ts";
import { fetchSettings } from "../../core/net/settings.ts";

/** A server that a test lets itself be asked by. */
export interface OutgoingServer extends AsyncDisposable {
  readonly port: number;
  /** Such as `http://127.0.0.1:34567`. */
  readonly url: string;
  /** What has come in so far. */
  readonly requests: readonly IncomingMessage[];
  /** Connections that were ever made. */
  readonly connections: number;
}

export interface ServeOptions {
  /** Address to listen on; default 127.0.0.1. */
  readonly host?: string;
  readonly tls?: { readonly certificate: string; readonly key: string };
  readonly port?: number;
}

/** Starts a real HTTP(S) server on a free port. */
export async function serveHttp(
  answer: RequestListener,
  { host = "127.0.0.1", tls, port = 0 }: ServeOptions = {},
): Promise<OutgoingServer> {
  const requests: IncomingMessage[] = [];
  const listener: RequestListener = (request, response) => {
    requests.push(request);
    answer(request, response);
  };
  const server = tls
    ? createTlsServer({ cert: tls.certificate, key: tls.key }, listener)
    : createServer(listener);
  let connections = 0;
  server.on(tls ? "secureConnection" : "connection", () => connections++);
  await new Promise<void>((resolve) => server.listen(port, host, resolve));
  const address = server.address() as AddressInfo;
  const name = host.includes(":") ? `[${host}]` : host;
  return {
    port: address.port,
    url: `${tls ? "https" : "http"}://${name}:${address.port}`,
    requests,
    get connections() {
      return connections;
    },
    [Symbol.asyncDispose]: () =>
      new Promise<void>((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

/** Starts a server that says what it likes to whoever connects, once it has heard something. */
export async function serveRaw(talk: (socket: Socket, heard: string) => void): Promise<OutgoingServer> {
  const open = new Set<Socket>();
  let connections = 0;
  const server = createRawServer((socket) => {
    connections++;
    open.add(socket);
    socket.on("error", () => {});
    socket.on("close", () => open.delete(socket));
    socket.on("data", (chunk) => talk(socket, String(chunk)));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  return {
    port,
    url: `http://127.0.0.1:${port}`,
    requests: [],
    get connections() {
      return connections;
    },
    [Symbol.asyncDispose]: () =>
      new Promise<void>((resolve) => {
        server.close(() => resolve());
        for (const socket of open) socket.destroy();
      }),
  };
}

/** A guarded fetch with everything real; `await using` closes its connections. */
export interface TestFetch extends AsyncDisposable {
  (input: string | URL | Request, options?: FetchOptions): Promise<GuardedResponse>;
  /** What was logged as a warning. */
  readonly warnings: readonly LogProperties[];
  close(): void;
}

/** Opens a guarded fetch with these `fetch:` settings; retries come at once unless they say otherwise. */
export function openTestFetch(
  settings: Readonly<Record<string, unknown>> = {},
  options: Partial<OutgoingRequestsOptions> & { readonly plugin?: AbortSignal } = {},
): TestFetch {
  const warnings: LogProperties[] = [];
  const log = { ...getLogger("test"), warn: (_: string, properties = {}) => void warnings.push(properties) };
  const outgoing = new OutgoingRequests({
    settings: fetchSettings.parse({ retry_delay: "1ms", ...settings }),
    version: "1.2.3",
    log,
    ...options,
  });
  const fetch = outgoing.forPlugin("test", options.plugin ?? new AbortController().signal);
  const close = () => outgoing.close();
  const dispose = async () => {
    close();
    await new Promise((resolve) => setTimeout(resolve, 0)); // sockets are gone a turn after they were closed
  };
  return Object.assign(fetch.bind(undefined), { warnings, close, [Symbol.asyncDispose]: dispose });
}

/** What a call is refused with: `code`, or the name of another error; `ok` where it is not. */
export async function outcomeOf(call: Promise<Response>): Promise<string> {
  try {
    const response = await call;
    await response.bytes();
    return "ok";
  } catch (error) {
    return (error as { code?: string }).code ?? (error as Error).name;
  }
}
