import { join } from "node:path";
import { type Configuration, loadConfiguration } from "../../core/config/load_config.ts";
import { type Kernel, startKernel } from "../../core/kernel.ts";
import { getLogger } from "../../core/log.ts";
import type { Plugin } from "../../core/plugin.ts";

/** The sections of a configuration; `http.port` and `node.data_dir` are filled in. */
export type Sections = Readonly<Record<string, unknown>>;

/** A kernel in the test's own process that follows a file. */
export interface ReloadableKernel extends Kernel, AsyncDisposable {
  /** The folder of the file. */
  readonly folder: string;
  /** Writes the file anew, or faulty text instead of it. */
  write(sections: Sections | string): Promise<void>;
  /** A request with the admin key. */
  fetch(path: string, init?: RequestInit): Promise<Response>;
}

/** Boots a kernel from a file; `plugins` are those that it can name. `await using` ends it and removes everything. */
export async function startReloadableKernel(
  { plugins, sections, files = {} }: {
    readonly plugins: readonly Plugin[];
    readonly sections: Sections;
    /** Beside the configuration, by name. */
    readonly files?: Readonly<Record<string, string>>;
  },
): Promise<ReloadableKernel> {
  const folder = await Deno.makeTempDir();
  const file = join(folder, "projects.yaml");
  const write = async (wanted: Sections | string) => {
    const { http = {}, ...others } = typeof wanted === "string" ? {} : wanted;
    const whole = { node: { name: "test" }, ...others, http: { port: 0, ...(http as object) } };
    await Deno.writeTextFile(file, typeof wanted === "string" ? wanted : JSON.stringify(whole, null, 2));
  };
  const registry = Object.fromEntries(
    plugins.map((plugin) => [plugin.name, () => Promise.resolve({ default: plugin })]),
  );
  const readConfiguration = (): Promise<Configuration> => loadConfiguration(file, { registry, env: {} });
  const remove = () => Deno.remove(folder, { recursive: true });
  let kernel: Kernel;
  try {
    for (const [name, text] of Object.entries(files)) await Deno.writeTextFile(join(folder, name), text);
    await write(sections);
    const configuration = await readConfiguration();
    kernel = await startKernel({ configuration, readConfiguration, log: getLogger("test") });
  } catch (error) {
    await remove();
    throw error;
  }
  const key = (await Deno.readTextFile(kernel.adminKeyFile)).trim();
  return {
    ...kernel,
    folder,
    write,
    fetch: (path, init = {}) => {
      const headers = new Headers(init.headers);
      if (!headers.has("authorization")) headers.set("authorization", `Bearer ${key}`);
      return fetch(`${kernel.url}${path}`, { ...init, headers });
    },
    [Symbol.asyncDispose]: async () => {
      await kernel.stop();
      await remove();
    },
  };
}
