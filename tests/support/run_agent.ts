import { join } from "node:path";
import { parse } from "yaml";
import { freePort } from "./free_port.ts";
import { program, programArgs, repository } from "./run_cli.ts";
import { type Child, spawnChild } from "./spawn_child.ts";
import { waitFor } from "./wait_for.ts";

type Config = Readonly<Record<string, unknown>>;

/** How an agent of a test is to run. */
export interface AgentOptions {
  /** The configuration, as YAML or as an object; `http.port` and `node.data_dir` are filled in where absent. */
  readonly config: string | Config;
  /** A folder to keep; without it a temporary one goes with the agent. */
  readonly dataDir?: string;
  /** Added to the environment of the test. */
  readonly env?: Readonly<Record<string, string>>;
  /** Arguments added after `start --config FILE`. */
  readonly args?: readonly string[];
}

/** The real program, running on 127.0.0.1 for one test; `await using` ends it. */
export interface Agent extends AsyncDisposable {
  /** `http://127.0.0.1:<port>`. */
  readonly url: string;
  readonly pid: number;
  /** The content of `<data_dir>/admin.key`. */
  readonly adminKey: string;
  readonly dataDir: string;
  readonly configFile: string;
  /** Standard output and error since its last start. */
  output(): string;
  /** Resolves with the exit code once the program has ended by itself. */
  exited(): Promise<number>;
  /** Asks it to end (SIGTERM) and returns its exit code; rejects when it takes over 15 s. */
  stop(): Promise<number>;
  /** Ends it at once (SIGKILL). */
  kill(): Promise<void>;
  /** Starts it again with the same configuration, port and data, stopping it first if it runs. */
  restart(): Promise<void>;
  /** Sends a request with the admin key to a path such as `/api/events`; read or cancel the body. */
  fetch(path: string, init?: RequestInit): Promise<Response>;
}

/** Starts the real program and resolves once `GET /health/ready` answers 200; rejects with its output otherwise. */
export async function startAgent(options: AgentOptions): Promise<Agent> {
  const folder = await Deno.makeTempDir({ prefix: "commandcenter-agent-" });
  const agent = new RunningAgent(folder, options);
  try {
    await agent.restart();
  } catch (error) {
    await agent[Symbol.asyncDispose]();
    throw error;
  }
  return agent;
}

class RunningAgent implements Agent {
  readonly url: string;
  readonly dataDir: string;
  readonly configFile: string;
  readonly #folder: string;
  readonly #options: AgentOptions;
  #child: Child | undefined;

  constructor(folder: string, options: AgentOptions) {
    const given: Config = typeof options.config === "string" ? parse(options.config) : options.config;
    const config = {
      ...given,
      node: { data_dir: options.dataDir ?? join(folder, "data"), ...section(given, "node") },
      http: { port: freePort(), ...section(given, "http") },
    };
    this.#folder = folder;
    this.#options = options;
    this.url = `http://127.0.0.1:${config.http.port}`;
    this.dataDir = config.node.data_dir;
    this.configFile = join(folder, "projects.yaml");
    // JSON is YAML.
    Deno.writeTextFileSync(this.configFile, JSON.stringify(config, null, 2));
  }

  get pid(): number {
    return this.#started.pid;
  }

  get adminKey(): string {
    return Deno.readTextFileSync(join(this.dataDir, "admin.key")).trim();
  }

  output(): string {
    return this.#child?.output() ?? "";
  }

  async exited(): Promise<number> {
    return (await this.#started.exited).code;
  }

  async stop(): Promise<number> {
    return (await this.#started.stop({ signal: "SIGTERM", timeoutMs: 15_000 })).code;
  }

  async kill(): Promise<void> {
    await this.#started.stop({ signal: "SIGKILL", timeoutMs: 15_000 });
  }

  async restart(): Promise<void> {
    if (this.#child !== undefined) await this.stop();
    const child = spawnChild(program, {
      args: programArgs(["start", "--config", this.configFile, ...this.#options.args ?? []]),
      cwd: repository,
      env: { ...this.#options.env },
    });
    this.#child = child;
    try {
      await waitFor(async () => !child.running || await this.#isReady(), {
        what: "the agent to be ready",
        timeoutMs: 30_000,
        pollMs: 25,
      });
    } catch (cause) {
      throw new Error(`Cannot start "agent": not ready; it printed:\n${child.output()}`, { cause });
    }
    if (child.running) return;
    const { code } = await child.exited;
    throw new Error(`Cannot start "agent": it exited with ${code} and printed:\n${child.output()}`);
  }

  fetch(path: string, init: RequestInit = {}): Promise<Response> {
    const headers = new Headers(init.headers);
    if (!headers.has("authorization")) headers.set("authorization", `Bearer ${this.adminKey}`);
    return fetch(new URL(path, this.url), { ...init, headers });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#child !== undefined) await this.kill();
    await Deno.remove(this.#folder, { recursive: true });
  }

  get #started(): Child {
    if (this.#child === undefined) throw new Error(`Cannot reach "agent": it has not started`);
    return this.#child;
  }

  async #isReady(): Promise<boolean> {
    const answer = await fetch(new URL("/health/ready", this.url));
    await answer.body?.cancel();
    return answer.status === 200;
  }
}

function section(config: Config, name: string): Record<string, unknown> {
  const value = config[name];
  return typeof value === "object" && value !== null ? { ...value } : {};
}
