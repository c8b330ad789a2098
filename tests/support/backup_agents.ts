import { expect } from "expect";
import { join } from "node:path";
import { createDatabase } from "./postgres.ts";
import { freePort } from "./free_port.ts";
import { type Agent, startAgent } from "./run_agent.ts";
import { type CliResult, runCli } from "./run_cli.ts";

/** A storage that an agent of a test can be put on. */
export interface Place extends AsyncDisposable {
  readonly kind: "sqlite" | "postgres";
  /** Empty until an agent or a restore fills it. */
  readonly folder: string;
  readonly dataDir: string;
  /** The file or the URL of the database. */
  readonly database: string;
  readonly configFile: string;
  readonly config: Readonly<Record<string, unknown>>;
}

/** A new folder, and a new database where it is PostgreSQL; `settings` are those of the event-store. */
export async function createPlace(kind: Place["kind"], settings: object = {}): Promise<Place> {
  await using stack = new AsyncDisposableStack();
  const folder = await Deno.makeTempDir({ prefix: "commandcenter-backup-" });
  stack.defer(() => Deno.remove(folder, { recursive: true }));
  const dataDir = join(folder, "data");
  const postgres = kind === "postgres" ? stack.use(await createDatabase()) : undefined;
  const config = {
    node: { data_dir: dataDir },
    http: { port: freePort() },
    ...(postgres ? { storage: { url: postgres.url } } : {}),
    plugins: { "event-store": settings, metrics: {} },
  };
  const configFile = join(folder, "projects.yaml");
  await Deno.writeTextFile(configFile, JSON.stringify(config));
  const owned = stack.move();
  return {
    kind,
    folder,
    dataDir,
    database: postgres?.url ?? join(dataDir, "commandcenter.db"),
    configFile,
    config,
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

/** Starts an agent there. */
export function startAt({ config, dataDir }: Place, extra: object = {}): Promise<Agent> {
  return startAgent({ config: { ...config, ...extra }, dataDir });
}

/** Runs the command line with the configuration of that place. */
export function cliAt({ configFile }: Place, ...args: readonly string[]): Promise<CliResult> {
  return runCli(["--config", configFile, ...args], { timeoutMs: 120_000 });
}

/** What a command prints to standard error when all is well; the server of a test may be fast and forgetful. */
export const nothingToSay = expect.stringMatching(/^(warning: PostgreSQL has fsync=off.*\n)?$/);
