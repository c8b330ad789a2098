import { existsSync } from "node:fs";
import { join } from "node:path";
import { fetchNpmPackage } from "../setup/npm_package.ts";
import { programsFolder, withToolsFolder } from "../setup/tools_folder.ts";
import { untar } from "../setup/untar.ts";
import { bunVersion, type Target } from "./target.ts";

/** Fetches the pinned Bun for a target from the npm registry into `.tools/bin`, once, and returns its path. */
export async function fetchBun(target: Target, say: (line: string) => void): Promise<string> {
  const place = join(programsFolder, `${target.bun}-${bunVersion}`);
  if (existsSync(place)) return place;
  say(`fetching Bun ${bunVersion} for ${target.name} from the npm registry (50 MB)`);
  const archive = await fetchNpmPackage(target.bunPackage, { version: bunVersion, sha512: target.bunSha512 });
  await Deno.mkdir(programsFolder, { recursive: true });
  await withToolsFolder("bun", async (folder) => {
    await untar(archive, folder);
    const program = join(folder, "package", "bin", "bun");
    await Deno.chmod(program, 0o755);
    await Deno.rename(program, place);
  });
  return place;
}
