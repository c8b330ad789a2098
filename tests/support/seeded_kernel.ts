import type { BusMessage } from "../../core/bus/bus.ts";
import { z } from "zod";
import { definePlugin, type Plugin } from "../../core/plugin.ts";
import type { Draft } from "../../plugins/event-store/log/draft.ts";
import eventStore from "../../plugins/event-store/plugin.ts";
import { createDatabase } from "./postgres.ts";
import { seedLog } from "./seed_log.ts";
import { startTestKernel, type TestKernel, type TestKernelOptions } from "./test_kernel.ts";
import { testWithPostgres } from "./test_with.ts";

/** Where a test keeps its log; an agent may be started on it again and again. */
export interface LogPlace {
  readonly storageUrl: string;
  readonly dataDir: string;
}

/** An agent on a log, and everything that its bus carries, as a live subscriber sees it. */
export interface SeededKernel extends TestKernel {
  readonly messages: readonly BusMessage[];
}

/** Registers a test twice: with a log in SQLite, and with one in a PostgreSQL database of its own. */
export function testOnEveryLog(name: string, run: (place: LogPlace) => Promise<void>): void {
  const inFolder = async (storageUrl: string) => {
    const dataDir = await Deno.makeTempDir();
    try {
      await run({ storageUrl, dataDir });
    } finally {
      await Deno.remove(dataDir, { recursive: true });
    }
  };
  Deno.test(`${name} (sqlite)`, () => inFolder("sqlite:"));
  testWithPostgres(`${name} (postgres)`, async () => {
    await using database = await createDatabase();
    await inFolder(database.url);
  });
}

/** Starts an agent on a log that holds these events besides what it held before. */
export async function startSeededKernel(
  place: LogPlace,
  { drafts = [], ...options }: Partial<TestKernelOptions> & { readonly drafts?: readonly Draft[] } = {},
): Promise<SeededKernel> {
  await seedLog(place, drafts);
  const messages: BusMessage[] = [];
  const plugins = [eventStore, listener((message) => void messages.push(message))];
  const kernel = await startTestKernel({ nodeId: "here", plugins, ...place, ...options });
  return { ...kernel, messages };
}

function listener(take: (message: BusMessage) => void): Plugin {
  return definePlugin({
    name: "listener",
    summary: "Notes all that the bus carries",
    config: z.strictObject({}),
    prefixes: [],
    start: (host) => void host.bus.subscribe(">", take),
  });
}
