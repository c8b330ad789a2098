import { join } from "node:path";
import { freePort } from "./free_port.ts";
import { locate } from "./requirement.ts";
import { type Child, spawnChild } from "./spawn_child.ts";
import { waitFor } from "./wait_for.ts";

/** How a NATS server of a test is to run. */
export interface NatsServerOptions {
  /** JetStream with files in `storeDir`; on unless set to false. */
  readonly jetstream?: boolean;
  /** nats-server configuration added to the generated one: `authorization { token: t }`, `tls { … }`, `max_payload: 1MB`. */
  readonly config?: string;
  /** Arguments added to the command line. */
  readonly args?: readonly string[];
  /** A folder to keep; without it a temporary one goes with the server. */
  readonly storeDir?: string;
  readonly port?: number;
}

/** A real nats-server on 127.0.0.1 that belongs to one test; `await using` ends it. */
export interface NatsServer extends AsyncDisposable {
  /** `nats://127.0.0.1:<port>`, without credentials. */
  readonly url: string;
  readonly port: number;
  /** `http://127.0.0.1:<port>` with `/healthz`, `/connz`, `/jsz` … */
  readonly monitoringUrl: string;
  readonly storeDir: string;
  readonly pid: number;
  /** What the server has logged since its last start. */
  output(): string;
  /** Ends it in order (SIGTERM). */
  stop(): Promise<void>;
  /** Ends it at once (SIGKILL). */
  kill(): Promise<void>;
  /** Starts it again on the same ports and store, stopping it first if it runs. */
  restart(options?: { readonly emptyStore?: boolean }): Promise<void>;
  /** Suspends it (SIGSTOP) and resolves once it stands still: connections stay open, nothing is answered. */
  freeze(): Promise<void>;
  /** Lets a suspended server go on. */
  thaw(): void;
}

/** Starts `$NATS_SERVER` and resolves once it and its JetStream answer; rejects with its log otherwise. */
export async function startNatsServer(options: NatsServerOptions = {}): Promise<NatsServer> {
  const folder = await Deno.makeTempDir({ prefix: "commandcenter-nats-" });
  const port = options.port ?? freePort();
  const server = new Server(folder, {
    ...options,
    port,
    storeDir: options.storeDir ?? join(folder, "store"),
  });
  try {
    await server.restart();
  } catch (error) {
    await server[Symbol.asyncDispose]();
    throw error;
  }
  return server;
}

class Server implements NatsServer {
  readonly url: string;
  readonly port: number;
  readonly monitoringUrl: string;
  readonly storeDir: string;
  readonly #folder: string;
  readonly #args: readonly string[];
  #child: Child | undefined;

  constructor(
    folder: string,
    options: NatsServerOptions & { readonly port: number; readonly storeDir: string },
  ) {
    const monitoringPort = freePort();
    this.#folder = folder;
    this.port = options.port;
    this.storeDir = options.storeDir;
    this.url = `nats://127.0.0.1:${options.port}`;
    this.monitoringUrl = `http://127.0.0.1:${monitoringPort}`;
    const file = join(folder, "nats.conf");
    Deno.writeTextFileSync(file, configuration(options, monitoringPort));
    this.#args = ["--config", file, ...options.args ?? []];
  }

  get pid(): number {
    if (this.#child === undefined) throw new Error(`Cannot tell pid of "nats-server": it has not started`);
    return this.#child.pid;
  }

  output(): string {
    return this.#child?.output() ?? "";
  }

  async stop(): Promise<void> {
    this.thaw();
    await this.#child?.stop({ signal: "SIGTERM", timeoutMs: 10_000 });
  }

  async kill(): Promise<void> {
    await this.#child?.stop({ signal: "SIGKILL", timeoutMs: 10_000 });
  }

  async restart({ emptyStore = false } = {}): Promise<void> {
    await this.stop();
    if (emptyStore) await Deno.remove(this.storeDir, { recursive: true });
    const child = spawnChild(locate("nats"), { args: [...this.#args] });
    this.#child = child;
    await waitFor(async () => !child.running || await this.#answers(), {
      what: "nats-server to answer",
      timeoutMs: 20_000,
    });
    if (!child.running) {
      throw new Error(`Cannot start "nats-server": it ended and printed:\n${child.output()}`);
    }
  }

  async freeze(): Promise<void> {
    this.#child?.signal("SIGSTOP");
    await waitFor(() => standsStill(this.pid), { what: "nats-server to stand still" });
  }

  thaw(): void {
    this.#child?.signal("SIGCONT");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill();
    await Deno.remove(this.#folder, { recursive: true });
  }

  async #answers(): Promise<boolean> {
    const answer = await fetch(`${this.monitoringUrl}/healthz`);
    await answer.body?.cancel();
    return answer.ok;
  }
}

// A signal stops each thread at its next step, so that an answer may still leave after it was sent.
async function standsStill(pid: number): Promise<boolean> {
  if (Deno.build.os !== "linux") return true;
  for await (const { name: thread } of Deno.readDir(`/proc/${pid}/task`)) {
    if (!/^State:\s+T/m.test(await Deno.readTextFile(`/proc/${pid}/task/${thread}/status`))) return false;
  }
  return true;
}

function configuration(
  { jetstream = true, config = "", port, storeDir }: NatsServerOptions,
  monitoringPort: number,
): string {
  const lines = [`listen: "127.0.0.1:${port}"`, `http: "127.0.0.1:${monitoringPort}"`];
  // Every write reaches the disk before it is acknowledged: the tests are about what survives.
  if (jetstream) lines.push(`jetstream { store_dir: ${JSON.stringify(storeDir)}, sync_interval: always }`);
  return [...lines, config, ""].join("\n");
}
