import { join } from "node:path";
import { freePort } from "./free_port.ts";
import { locate } from "./requirement.ts";
import { serverUser } from "./server_user.ts";
import { type Child, spawnChild } from "./spawn_child.ts";
import { waitFor } from "./wait_for.ts";

/** How a PostgreSQL server of a test is to run. */
export interface PostgresOptions {
  /** The folder with `initdb` and `postgres`; `$POSTGRES_BIN` unless given. */
  readonly programs?: string;
  /** Server settings, as in `{ fsync: "off" }`. */
  readonly settings?: Readonly<Record<string, string>>;
  /** Where to make the folder of its cluster; default: where temporary files go. */
  readonly parent?: string;
}

/** How a PostgreSQL server ends: `fast` rolls back and writes everything out, `immediate` is a crash with recovery. */
export type StopMode = "fast" | "immediate";

/** A real PostgreSQL server on 127.0.0.1 with a cluster of its own; `await using` ends it and deletes the cluster. */
export interface PostgresServer extends AsyncDisposable {
  /** The maintenance database, with user and password; the user may do everything. */
  readonly url: string;
  readonly pid: number;
  /** What the server has logged since its last start. */
  output(): string;
  stop(options?: { readonly mode?: StopMode }): Promise<void>;
  /** Kills the postmaster (SIGKILL); its backends end by themselves. */
  kill(): Promise<void>;
  /** Starts it again on the same port and data, stopping it first if it runs. */
  restart(options?: { readonly mode?: StopMode }): Promise<void>;
}

/** Makes a cluster, starts it as an unprivileged user and resolves once it takes connections. */
export async function startPostgres(options: PostgresOptions = {}): Promise<PostgresServer> {
  const programs = options.programs ?? locate("postgres-programs");
  const folder = await Deno.makeTempDir({
    prefix: "commandcenter-postgres-",
    ...(options.parent === undefined ? {} : { dir: options.parent }),
  });
  const server = new Server(folder, { ...options, programs });
  try {
    await server.create();
    await server.restart();
  } catch (error) {
    await server[Symbol.asyncDispose]();
    throw error;
  }
  return server;
}

class Server implements PostgresServer {
  readonly url: string;
  readonly #folder: string;
  readonly #data: string;
  readonly #programs: string;
  readonly #settings: Readonly<Record<string, string>>;
  readonly #password = crypto.randomUUID();
  // LC_ALL keeps the log in English and macOS from starting a thread the postmaster refuses.
  readonly #as = { ...serverUser(), env: { LC_ALL: "C" } };
  #child: Child | undefined;

  constructor(folder: string, { programs, settings }: PostgresOptions & { readonly programs: string }) {
    const port = freePort();
    this.#folder = folder;
    this.#data = join(folder, "data");
    this.#programs = programs;
    this.#settings = {
      port: String(port),
      listen_addresses: "127.0.0.1",
      unix_socket_directories: "",
      ...settings,
    };
    this.url = `postgres://postgres:${this.#password}@127.0.0.1:${port}/postgres`;
  }

  get pid(): number {
    if (this.#child === undefined) throw new Error(`Cannot tell pid of "postgres": it has not started`);
    return this.#child.pid;
  }

  output(): string {
    return this.#child?.output() ?? "";
  }

  async create(): Promise<void> {
    const passwordFile = join(this.#folder, "password");
    await Deno.writeTextFile(passwordFile, this.#password, { mode: 0o600 });
    const { uid, gid } = this.#as;
    if (uid !== undefined) {
      for (const path of [this.#folder, passwordFile]) await Deno.chown(path, uid, gid ?? null);
    }
    const initdb = spawnChild(join(this.#programs, "initdb"), {
      ...this.#as,
      cwd: this.#folder,
      args: [
        ...["--pgdata", this.#data, "--username", "postgres", "--pwfile", passwordFile],
        ...["--auth", "scram-sha-256", "--encoding", "UTF8", "--locale", "C", "--no-sync"],
      ],
    });
    const { success } = await initdb.exited;
    if (!success) throw new Error(`Cannot create "PostgreSQL cluster": initdb printed:\n${initdb.output()}`);
  }

  async stop({ mode = "fast" }: { readonly mode?: StopMode } = {}): Promise<void> {
    await this.#child?.stop({ signal: mode === "fast" ? "SIGINT" : "SIGQUIT", timeoutMs: 30_000 });
  }

  async kill(): Promise<void> {
    await this.#child?.stop({ signal: "SIGKILL", timeoutMs: 30_000 });
  }

  async restart({ mode }: { readonly mode?: StopMode } = {}): Promise<void> {
    await this.stop({ mode });
    const settings = Object.entries(this.#settings).flatMap(([name, value]) => ["-c", `${name}=${value}`]);
    const child = spawnChild(join(this.#programs, "postgres"), {
      ...this.#as,
      cwd: this.#folder,
      args: ["-D", this.#data, ...settings],
    });
    this.#child = child;
    await waitFor(async () => !child.running || await this.#isReady(child.pid), {
      what: "PostgreSQL to take connections",
      timeoutMs: 30_000,
    });
    if (!child.running) throw new Error(`Cannot start "postgres": it ended and printed:\n${child.output()}`);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop({ mode: "immediate" });
    await Deno.remove(this.#folder, { recursive: true });
  }

  // What pg_ctl waits for: the postmaster writes its pid first, and "ready" in line 8 once recovery is over.
  async #isReady(pid: number): Promise<boolean> {
    const lines = (await Deno.readTextFile(join(this.#data, "postmaster.pid"))).split("\n");
    return lines[0] === String(pid) && lines[7]?.trim() === "ready";
  }
}
