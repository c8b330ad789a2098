import type { OpenAPIHono } from "@hono/zod-openapi";
import { readFile, rm } from "node:fs/promises";
import { type Clock, systemClock } from "../../core/clock.ts";
import { HealthChecks } from "../../core/health.ts";
import type { HttpObservation } from "../../core/http_metrics.ts";
import type { Logger, LogProperties } from "../../core/log.ts";
import { openStorage } from "../../core/storage/open_storage.ts";
import { storageSettings } from "../../core/storage/settings.ts";
import type { HttpEnv } from "../../core/http/env.ts";
import { type HttpServer, openHttp } from "../../core/http/http_server.ts";
import { httpSettings } from "../../core/http/settings.ts";
import type { z } from "zod";

/** A log line that the server wrote. */
export interface LogLine {
  readonly level: string;
  readonly message: string;
  readonly properties: LogProperties;
}

export interface TestServerOptions {
  /** As in the configuration; host and port are filled in. */
  readonly settings?: z.input<typeof httpSettings>;
  /** Adds routes under `/api/test`. */
  readonly routes?: (app: OpenAPIHono<HttpEnv>, server: TestServer) => void;
  readonly clock?: Clock;
  /** A folder to keep; without it a temporary one goes with the server. */
  readonly dataDir?: string;
}

/** The real HTTP server on a free port, with SQLite, for one test; `await using` ends it. */
export class TestServer implements AsyncDisposable {
  readonly dataDir: string;
  readonly health = new HealthChecks();
  readonly observations: HttpObservation[] = [];
  readonly lines: LogLine[] = [];
  /** Requests that have arrived. */
  started = 0;
  http!: HttpServer;
  url = "";
  adminKey = "";
  readonly #ends: (() => unknown)[] = [];

  private constructor(dataDir: string) {
    this.dataDir = dataDir;
  }

  static async start(options: TestServerOptions = {}): Promise<TestServer> {
    const server = new TestServer(
      options.dataDir ?? await Deno.makeTempDir({ prefix: "commandcenter-http-" }),
    );
    if (!options.dataDir) server.#ends.push(() => rm(server.dataDir, { recursive: true }));
    try {
      await server.#open(options);
    } catch (error) {
      await server[Symbol.asyncDispose]();
      throw error;
    }
    return server;
  }

  /** Sends a request with the admin key, or with `key`, or with none where `key` is null. */
  fetch(
    path: string,
    { key = this.adminKey, ...init }: RequestInit & { key?: string | null } = {},
  ): Promise<Response> {
    const headers = new Headers(init.headers);
    if (key !== null) headers.set("authorization", `Bearer ${key}`);
    return fetch(this.url + path, { redirect: "manual", ...init, headers });
  }

  /** As `fetch`, with a JSON body; resolves with status and parsed answer. */
  async json(
    path: string,
    init: { method?: string; body?: unknown; key?: string | null; headers?: Record<string, string> } = {},
    // deno-lint-ignore no-explicit-any -- answers of any shape, which the tests look into
  ): Promise<{ status: number; headers: Headers; body: any }> {
    const { body, headers, ...rest } = init;
    const response = await this.fetch(path, {
      ...rest,
      method: init.method ?? (body === undefined ? "GET" : "POST"),
      headers: body === undefined ? { ...headers } : { "content-type": "application/json", ...headers },
      ...(body === undefined ? {} : { body: typeof body === "string" ? body : JSON.stringify(body) }),
    });
    const text = await response.text();
    return {
      status: response.status,
      headers: response.headers,
      body: text === "" ? undefined : JSON.parse(text),
    };
  }

  /** Makes a key and returns its text and id. */
  async makeKey(request: Record<string, unknown>): Promise<{ key: string; id: string }> {
    const { status, body } = await this.json("/api/keys", { body: { name: "test", ...request } });
    if (status !== 201) throw new Error(`Cannot make the key: ${status} ${JSON.stringify(body)}`);
    return body as { key: string; id: string };
  }

  /** Sends bytes as they are over TCP and returns the answer as it came. */
  async raw(request: string | Uint8Array): Promise<string> {
    const { port } = new URL(this.url);
    const connection = await Deno.connect({ hostname: "127.0.0.1", port: Number(port) });
    const bytes = typeof request === "string" ? new TextEncoder().encode(request) : request;
    const sending = writeAll(connection, bytes).catch(() => {}); // a server that has answered may close before the end
    const answer = await readAnswer(connection);
    connection.close();
    await sending;
    return answer;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const end of this.#ends.splice(0).reverse()) await end();
  }

  async #open({ settings, routes, clock = systemClock }: TestServerOptions): Promise<void> {
    const storage = await openStorage(storageSettings.parse({ url: "sqlite:" }), {
      dataDir: this.dataDir,
      warn: () => {},
    });
    this.#ends.push(() => storage.close());
    this.http = await openHttp({
      settings: httpSettings.parse({ port: 0, ...settings }),
      node: { id: "hub-test", name: "Test", version: "1.2.3", dataDir: this.dataDir, startedAt: "" },
      storage,
      health: this.health,
      busStatus: () => ({ kind: "nats", connected: true, url: "nats://me:secret@bus:4222", reconnects: 2 }),
      requestStarted: () => this.started++,
      observe: (observation) => this.observations.push(observation),
      log: this.#log(),
      clock,
    });
    this.#ends.push(() => this.http.close());
    if (routes) {
      const app = this.http.newApp();
      routes(app, this);
      this.http.mount({ name: "test", prefixes: ["/api/test"], app });
    }
    this.url = (await this.http.listen()).url;
    this.adminKey = (await readFile(this.http.adminKeyFile, "utf8")).trim();
  }

  #log(): Logger {
    const write = (level: string) => (message: string, properties: LogProperties = {}) => {
      this.lines.push({ level, message, properties });
    };
    const log: Logger = {
      debug: write("debug"),
      info: write("info"),
      warn: write("warn"),
      error: write("error"),
      child: () => log,
    };
    return log;
  }
}

async function writeAll(connection: Deno.Conn, bytes: Uint8Array): Promise<void> {
  for (let sent = 0; sent < bytes.length;) sent += await connection.write(bytes.subarray(sent));
}

/** Reads one answer: until its declared length is there, or the server closes. */
async function readAnswer(connection: Deno.Conn): Promise<string> {
  const decoder = new TextDecoder();
  const buffer = new Uint8Array(16_384);
  let text = "";
  for (;;) {
    const [head, ...rest] = text.split("\r\n\r\n");
    const length = /content-length: (\d+)/i.exec(head!)?.[1];
    if (rest.length > 0 && length !== undefined && rest.join("\r\n\r\n").length >= Number(length)) {
      return text;
    }
    const count = await connection.read(buffer).catch(() => null); // reset after the answer counts as the end
    if (count === null) return text;
    text += decoder.decode(buffer.subarray(0, count), { stream: true });
  }
}
