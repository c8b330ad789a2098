import { join } from "node:path";
import { freePort } from "./free_port.ts";
import { type Child, spawnChild } from "./spawn_child.ts";
import { waitFor, within } from "./wait_for.ts";

/** A folder of its own in which a program runs as on a machine that has nothing: no variables, no home, no PATH. */
export class EmptyMachine implements AsyncDisposable {
  readonly folder: string;
  readonly url: string;
  readonly #program: string;
  readonly #children: Child[] = [];

  private constructor(program: string, options: { folder: string; port: number }) {
    this.#program = program;
    this.folder = options.folder;
    this.url = `http://127.0.0.1:${options.port}`;
  }

  /** Writes `projects.yaml`, and nothing else, into the folder. */
  static async make(program: string, config: Readonly<Record<string, unknown>>): Promise<EmptyMachine> {
    const folder = await Deno.makeTempDir({ prefix: "commandcenter-empty-" });
    const port = freePort();
    await Deno.writeTextFile(join(folder, "projects.yaml"), JSON.stringify({ ...config, http: { port } }));
    return new EmptyMachine(program, { folder, port });
  }

  /** Runs a command to its end. */
  async run(...args: string[]): Promise<{ code: number; stdout: string; stderr: string }> {
    const output = new Deno.Command(this.#program, {
      args,
      cwd: this.folder,
      clearEnv: true,
      stdin: "null",
      stdout: "piped",
      stderr: "piped",
    }).output();
    const { code, stdout, stderr } = await within(output, { what: args.join(" "), timeoutMs: 30_000 });
    const decoder = new TextDecoder();
    return { code, stdout: decoder.decode(stdout), stderr: decoder.decode(stderr) };
  }

  /** Starts a command that goes on. */
  begin(...args: string[]): Child {
    const child = spawnChild(this.#program, { args, cwd: this.folder, clearEnv: true });
    this.#children.push(child);
    return child;
  }

  /** Starts the agent and resolves once it is ready. */
  async startAgent(): Promise<Child> {
    const agent = this.begin("start");
    await waitFor(async () => {
      if (!agent.running) return true;
      const answer = await fetch(`${this.url}/health/ready`);
      await answer.body?.cancel();
      return answer.ok;
    }, { what: "the agent to be ready", timeoutMs: 30_000 });
    if (!agent.running) throw new Error(`Cannot start "agent": it printed:\n${agent.output()}`);
    return agent;
  }

  /** Asks the agent with its admin key. */
  async fetch(path: string): Promise<Response> {
    const key = await Deno.readTextFile(join(this.folder, "data", "admin.key"));
    return await fetch(this.url + path, { headers: { authorization: `Bearer ${key.trim()}` } });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const child of this.#children) {
      if (child.running) await child.stop({ signal: "SIGKILL", timeoutMs: 10_000 });
    }
    await Deno.remove(this.folder, { recursive: true });
  }
}
