import { Buffer } from "node:buffer";
import http from "node:http";
import net from "node:net";
import type { Duplex } from "node:stream";
import tls from "node:tls";
import { parseAddress } from "./address_rules.ts";
import { FetchError } from "./fetch_error.ts";
import type { ProxySettings } from "./settings.ts";

/** Where a connection goes. */
export interface Endpoint {
  /** Scheme, host and port, for errors. */
  readonly origin: string;
  readonly secure: boolean;
  /** Whose certificate is expected. */
  readonly hostname: string;
  readonly port: number;
  /** The address that was found open; undefined where the proxy looks the name up. */
  readonly address: string | undefined;
}

/** How connections are made. */
export interface ConnectOptions {
  readonly signal: AbortSignal;
  readonly timeoutMs: number;
  /** All certificates (PEM) to trust; undefined = the well-known ones. */
  readonly ca?: readonly string[] | undefined;
  readonly proxy?: ProxySettings | undefined;
}

/**
 * Opens a connection to exactly the address that was checked; no name is looked up here, save that of the proxy. Rejects
 * with FetchError `connection`, `tls` or `timeout`, or with the signal's reason.
 */
export async function openSocket(endpoint: Endpoint, options: ConnectOptions): Promise<Duplex> {
  const { origin } = endpoint;
  const opened: Duplex[] = [];
  const { signal, timeoutMs } = options;
  const abort = (reason: unknown) => opened.forEach((socket) => socket.destroy(reason as Error));
  const onAbort = () => abort(signal.reason);
  const late = new FetchError("timeout", {
    origin,
    state: `no connection within ${timeoutMs} ms; is the host up? (fetch.connect_timeout)`,
  });
  const timer = setTimeout(() => abort(late), timeoutMs);
  signal.addEventListener("abort", onAbort);
  try {
    signal.throwIfAborted();
    const socket = await connect(endpoint, { options, opened });
    signal.throwIfAborted();
    return socket;
  } catch (error) {
    opened.forEach((socket) => socket.destroy());
    throw signal.aborted ? signal.reason : error;
  } finally {
    clearTimeout(timer);
    signal.removeEventListener("abort", onAbort);
  }
}

interface Attempt {
  readonly options: ConnectOptions;
  /** Everything opened on the way, to be closed where it comes to nothing. */
  readonly opened: Duplex[];
}

async function connect(endpoint: Endpoint, attempt: Attempt): Promise<Duplex> {
  const { options, opened } = attempt;
  const plain = endpoint.address === undefined
    ? await reachProxy(endpoint, attempt)
    : await reach(endpoint, { address: endpoint.address, opened });
  if (!endpoint.secure) return plain;
  const { hostname } = endpoint;
  const socket = tls.connect({
    socket: plain,
    host: hostname, // whose certificate is expected, where it is an address
    ...(net.isIP(hostname) === 0 ? { servername: hostname } : {}),
    rejectUnauthorized: true,
    minVersion: "TLSv1.2",
    ALPNProtocols: ["http/1.1"],
    ...(options.ca ? { ca: [...options.ca] } : {}),
  });
  opened.push(socket);
  await settled(socket, "secureConnect", (cause) =>
    new FetchError("tls", {
      origin: endpoint.origin,
      state: `${cause.message}; own certificate authorities go to fetch.ca`,
      cause,
    }));
  return socket;
}

async function reach(
  { origin, port }: Endpoint,
  { address, opened }: { address: string; opened: Duplex[] },
): Promise<net.Socket> {
  const socket = net.connect({ host: address, port });
  opened.push(socket);
  await settled(socket, "connect", (cause) => unreachable(origin, cause));
  const peer = parseAddress(socket.remoteAddress ?? "")?.toString();
  if (peer === address) return socket;
  const state = `the connection leads to ${peer ?? "nobody"} instead of ${address}`;
  throw new FetchError("blocked_address", { origin, state });
}

/** A connection to the proxy; for https the tunnel through it. */
async function reachProxy(endpoint: Endpoint, { options, opened }: Attempt): Promise<Duplex> {
  const { origin, hostname, port, secure } = endpoint;
  const proxy = new URL(options.proxy!.url);
  const place = { host: proxy.hostname.replace(/^\[(.*)\]$/, "$1"), port: Number(proxy.port || 80) };
  const socket = net.connect(place);
  opened.push(socket);
  await settled(socket, "connect", (cause) => unreachable(origin, cause, "the proxy does not answer"));
  if (!secure) return socket;
  const authority = `${hostname.includes(":") ? `[${hostname}]` : hostname}:${port}`;
  const agent = new http.Agent();
  agent.createConnection = () => socket;
  const request = http.request({
    agent,
    method: "CONNECT",
    path: authority,
    headers: { host: authority, ...proxyAuthorization(options.proxy!) },
    maxHeaderSize: 16_384,
  });
  const refused = (state: string, cause?: unknown) =>
    new FetchError("connection", { origin, state: `the proxy opens no tunnel: ${state}`, cause });
  return await new Promise<Duplex>((resolve, reject) => {
    request.on(
      "error",
      (error) => reject(error instanceof FetchError ? error : refused(error.message, error)),
    );
    request.on("response", ({ statusCode }) => reject(refused(`it answered ${statusCode}`)));
    request.on("connect", ({ statusCode }, tunnel, head) => {
      if (statusCode !== 200) reject(refused(`it answered ${statusCode}`));
      else if (head.length > 0) reject(refused("it sent something of its own"));
      else resolve(tunnel);
    });
    request.end();
  });
}

/** The header with which the proxy is told who asks, where the configuration says so. */
export function proxyAuthorization({ user, password }: ProxySettings): Record<string, string> {
  if (user === undefined || password === undefined) return {};
  const credentials = Buffer.from(`${user}:${password.reveal()}`).toString("base64");
  return { "proxy-authorization": `Basic ${credentials}` };
}

function unreachable(origin: string, cause: Error, what = "nobody answers"): FetchError {
  const { code } = cause as NodeJS.ErrnoException;
  return new FetchError("connection", { origin, state: `${what} (${code ?? cause.message})`, cause });
}

/** Waits for the event that says that a socket is ready. */
function settled(
  socket: Duplex,
  event: "connect" | "secureConnect",
  failure: (cause: Error) => FetchError,
): Promise<void> {
  return new Promise((resolve, reject) => {
    const fail = (error: Error) => reject(error instanceof FetchError ? error : failure(error));
    socket.on("error", fail); // stays: an error without a listener would end the program
    socket.once("close", () => fail(new Error("the connection was closed")));
    socket.once(event, () => resolve());
  });
}
