import type { OpenAPIHono } from "@hono/zod-openapi";
import type { BusStatus } from "../bus/bus.ts";
import type { Clock } from "../clock.ts";
import type { HealthChecks } from "../health.ts";
import type { HttpObservation } from "../http_metrics.ts";
import type { Logger } from "../log.ts";
import type { Node } from "../plugin.ts";
import type { Storage } from "../storage/storage.ts";
import { TrustedProxies } from "./address.ts";
import { ensureAdminKey } from "./admin_key.ts";
import { Authenticator } from "./authenticator.ts";
import { Deadlines } from "./deadlines.ts";
import { Edge, failureResponse } from "./edge.ts";
import type { HttpEnv } from "./env.ts";
import { healthRoutes } from "./health_routes.ts";
import { HostGuard } from "./host_guard.ts";
import { KeyRing } from "./key_ring.ts";
import { keyRoutes } from "./key_routes.ts";
import { KeyStore } from "./key_store.ts";
import type { Mountable } from "./mount.ts";
import { Mounts } from "./mounts.ts";
import { newApp } from "./new_app.ts";
import { referenceRoutes } from "./reference_routes.ts";
import { type Listening, OpenSockets, serve } from "./serve.ts";
import type { HttpSettings } from "./settings.ts";
import { TicketBox } from "./ticket_box.ts";
import type { Tickets } from "./tickets.ts";
import { UnderWay } from "./under_way.ts";

/** How long streams and WebSockets get to end by themselves once the server closes. */
const streamGraceMs = 1000;

export interface HttpOptions {
  readonly settings: HttpSettings;
  readonly node: Node;
  readonly storage: Storage;
  readonly health: HealthChecks;
  readonly busStatus: () => BusStatus;
  /** Told of every request; one `observe` follows when its answer begins. */
  readonly requestStarted?: () => void;
  /** Told of every answer. */
  readonly observe: (observation: HttpObservation) => void;
  /** Whether each request gets a debug line; default true. Off where nobody would see it: it costs half a microsecond. */
  readonly accessLog?: boolean;
  readonly log: Logger;
  readonly clock: Clock;
}

/** The HTTP side of the agent: plugins mount their routes on it, everything around them is its own. */
export interface HttpServer {
  /** Absolute path of the file that holds the admin key. */
  readonly adminKeyFile: string;
  readonly tickets: Tickets;
  /** An app for `mount`, with the answers to faulty requests built in. */
  newApp(): OpenAPIHono<HttpEnv>;
  /**
   * Serves the app's routes from now on. The returned function ends that: later requests get 503 `plugin_stopped`, and
   * it resolves when the requests in hand have their answers, after 5 s at the most. Throws where two parts claim the
   * same paths, and where a route is outside of its prefixes or not described.
   */
  mount(part: Mountable): () => Promise<void>;
  /** Opens the doors. Rejects with ConfigurationError where the address cannot be had. */
  listen(): Promise<{ url: string }>;
  /** `/health/ready` says no from now on, so that load balancers look elsewhere. */
  stopping(): void;
  /** Takes nothing new, drains (bounded), ends streams and WebSockets. Safe to call twice. */
  close(): Promise<void>;
}

/** Makes keys and routes ready; nothing listens before `listen`. */
export async function openHttp(options: HttpOptions): Promise<HttpServer> {
  const { settings, node, storage, health, busStatus, observe, log, clock } = options;
  const { max_body: maxBodyBytes, request_timeout: requestTimeoutMs } = settings;
  const store = await KeyStore.open(storage);
  const keys = new KeyRing({ store, clock, log });
  await keys.read();
  const adminKeyFile = await ensureAdminKey({
    dataDir: node.dataDir,
    nodeId: node.id,
    ring: keys,
    store,
    clock,
    log,
  });
  const tickets = new TicketBox({ clock, isLive: (id) => keys.isLive(id) });
  const mounts = new Mounts({ onError: failureResponse, version: node.version });
  const closing = new AbortController();
  const sockets = new OpenSockets((error) => log.error("a WebSocket handler failed", { error }));
  const streams = new UnderWay();
  const deadlines = new Deadlines(requestTimeoutMs);
  let listening: Listening | undefined;
  let ready = false;
  mounts.add({
    name: "health",
    prefixes: ["/health"],
    whileStopping: true,
    app: healthRoutes({ health, clock, busStatus, isReady: () => ready }),
  });
  mounts.add({ name: "keys", prefixes: ["/api/keys"], app: keyRoutes({ ring: keys, store, clock }) });
  mountReference(mounts);
  const edge = new Edge({
    shared: { keys, sockets, closing: closing.signal, maxBodyBytes, requestTimeoutMs },
    guard: hostGuardOf(settings),
    proxies: new TrustedProxies(settings.trusted_proxies),
    authenticator: new Authenticator({ keys, tickets, limits: settings.rate_limits }),
    mounts,
    deadlines,
    streams,
    requestStarted: options.requestStarted ?? (() => {}),
    observe,
    accessLog: options.accessLog ?? true,
    log,
    clock,
  });
  let closed: Promise<void> | undefined;
  const close = async () => {
    ready = false;
    closing.abort(new Error("The HTTP server is closing"));
    if (listening) await drain(listening, { mounts, sockets, streams });
    deadlines.close();
    await keys.close();
  };
  return {
    adminKeyFile,
    tickets,
    newApp,
    mount: (part) => mounts.add(part),
    listen: async () => {
      listening = await serve({ host: settings.host, port: settings.port, handler: edge.handle });
      ready = true;
      return { url: listening.url };
    },
    stopping: () => ready = false,
    close: () => closed ??= close(),
  };
}

function mountReference(mounts: Mounts): void {
  mounts.add({
    name: "reference",
    prefixes: ["/", "/openapi.json", "/docs"],
    app: referenceRoutes(() => mounts.description),
  });
}

function hostGuardOf(settings: HttpSettings): HostGuard {
  return new HostGuard({
    boundHost: settings.host,
    allowedHosts: settings.allowed_hosts,
    allowedOrigins: settings.allowed_origins,
  });
}

/**
 * Waits (bounded) for the requests in hand, then for WebSockets and streams to end by themselves; what is left is cut.
 * A runtime that has begun to finish cannot cut any more, so that it has to be known before whether all will end.
 */
async function drain(
  listening: Listening,
  { mounts, sockets, streams }: { mounts: Mounts; sockets: OpenSockets; streams: UnderWay },
): Promise<void> {
  await mounts.idle();
  await sockets.close(streamGraceMs);
  if (!await streams.none(streamGraceMs)) return await listening.cut();
  const { promise: late, resolve } = Promise.withResolvers<void>();
  const timer = setTimeout(resolve, streamGraceMs); // somebody may hold a connection with half a request
  await Promise.race([listening.finish(), late]);
  clearTimeout(timer);
}
