import { join } from "node:path";
import { busSettings } from "../../core/bus/settings.ts";
import type { Clock } from "../../core/clock.ts";
import { execSettings } from "../../core/exec/settings.ts";
import { httpSettings } from "../../core/http/settings.ts";
import { type Kernel, startKernel } from "../../core/kernel.ts";
import { getLogger } from "../../core/log.ts";
import { jobSettings } from "../../core/jobs/job_settings.ts";
import { fetchSettings } from "../../core/net/settings.ts";
import type { Plugin } from "../../core/plugin.ts";
import { storageSettings } from "../../core/storage/settings.ts";

export interface TestKernelOptions {
  readonly plugins: readonly Plugin[];
  /** Settings by plugin name; what is missing gets its defaults. */
  readonly settings?: Readonly<Record<string, unknown>>;
  readonly busUrl?: string;
  readonly storageUrl?: string;
  /** The `jobs:` section, such as `{ lease: "1s" }`. */
  readonly jobs?: Readonly<Record<string, unknown>>;
  /** The `fetch:` section, such as `{ allow: ["127.0.0.1"] }`. */
  readonly fetch?: Readonly<Record<string, unknown>>;
  readonly nodeId?: string;
  /** A folder to keep; by default a new one that goes with the kernel. */
  readonly dataDir?: string;
  /** Default: that of the machine. */
  readonly clock?: Clock;
}

/** A kernel inside the test's own process, with everything real: storage, bus, and HTTP on a free port. */
export interface TestKernel extends Kernel, AsyncDisposable {
  readonly dataDir: string;
  /** A request with the admin key. */
  fetch(path: string, init?: RequestInit): Promise<Response>;
}

/** Boots the given plugins; `await using` stops them and removes what they wrote. */
export async function startTestKernel(options: TestKernelOptions): Promise<TestKernel> {
  const dataDir = options.dataDir ?? await Deno.makeTempDir();
  const removeDataDir = async () => {
    if (options.dataDir === undefined) await Deno.remove(dataDir, { recursive: true });
  };
  let kernel: Kernel;
  try {
    kernel = await startKernel({
      configuration: configurationOf(options, dataDir),
      log: getLogger("test"),
      ...(options.clock ? { clock: options.clock } : {}),
    });
  } catch (error) {
    await removeDataDir();
    throw error;
  }
  const key = (await Deno.readTextFile(kernel.adminKeyFile)).trim();
  return {
    ...kernel,
    dataDir,
    fetch: (path, init = {}) => {
      const headers = new Headers(init.headers);
      if (!headers.has("authorization")) headers.set("authorization", `Bearer ${key}`);
      return fetch(`${kernel.url}${path}`, { ...init, headers });
    },
    [Symbol.asyncDispose]: async () => {
      await kernel.stop();
      await removeDataDir();
    },
  };
}

function configurationOf(options: TestKernelOptions, dataDir: string) {
  return {
    file: join(dataDir, "projects.yaml"),
    node: { name: "test", dataDir, ...(options.nodeId === undefined ? {} : { id: options.nodeId }) },
    http: httpSettings.parse({ port: 0 }),
    bus: busSettings.parse({ url: options.busUrl ?? "memory:" }),
    storage: storageSettings.parse({ url: options.storageUrl ?? "sqlite:" }),
    jobs: jobSettings.parse(options.jobs ?? {}),
    fetch: fetchSettings.parse(options.fetch ?? {}),
    exec: execSettings.parse({}),
    log: { level: "info", format: "json" } as const,
    projects: [],
    plugins: options.plugins.map((plugin) => ({
      plugin,
      config: plugin.config.parse(options.settings?.[plugin.name] ?? {}),
    })),
  };
}
