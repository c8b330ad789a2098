import { unzipSync } from "fflate";
import { dirname, join, normalize, sep } from "node:path";
import { download } from "./download.ts";
import { NotHere } from "./obtain.ts";

const version = "1.26.8";

// Of the archives at proxy.golang.org, from which the go command fetches its own updates; sum.golang.org lists them.
const digests: Readonly<Record<string, string>> = {
  "linux-amd64": "30c2b1bf7dcc88d3eb0a1364e47ddd9128edb3110a30e8a0ef61cd5856b31de7",
  "linux-arm64": "02b36b6787b3ac767668f630e2998df45a3b1f9ffee08d1bf3ef6487cd658d99",
  "darwin-amd64": "fe99a2009e5bb51e06d7784f1a486478673512041c2671157bd382806e2aedcf",
  "darwin-arm64": "0aad5fb52b88498885290178adc0bcfe429bc63012621af9f83282eb640bd9c7",
};

/** Downloads the Go toolchain, checked, into a folder, and returns the path of its `go`; `platform` as in `linux-amd64`. */
export async function fetchGo(platform: string, folder: string): Promise<string> {
  const value = digests[platform];
  if (value === undefined) throw new NotHere(`no Go toolchain is pinned for ${platform}`);
  const release = `v0.0.1-go${version}.${platform}`;
  const url = `https://proxy.golang.org/golang.org/toolchain/@v/${release}.zip`;
  const archive = await download(url, { algorithm: "sha256", encoding: "hex", value });
  unpack(archive, { prefix: `golang.org/toolchain@${release}/`, folder });
  return join(folder, "bin", "go");
}

function unpack(archive: Uint8Array, { prefix, folder }: { prefix: string; folder: string }): void {
  const files = unzipSync(archive, { filter: ({ name }) => isNeeded(name.slice(prefix.length)) });
  for (const [name, content] of Object.entries(files)) {
    const path = normalize(join(folder, name.slice(prefix.length)));
    if (!name.startsWith(prefix) || !path.startsWith(folder + sep)) {
      throw new Error(`Cannot unpack "${name}": it lies outside its archive's folder`);
    }
    Deno.mkdirSync(dirname(path), { recursive: true });
    Deno.writeFileSync(path, content, { mode: isProgram(name.slice(prefix.length)) ? 0o755 : 0o644 });
  }
}

// Two thirds of the archive are tests, manuals and the sources of tools that lie compiled beside them.
function isNeeded(name: string): boolean {
  return !name.endsWith("_test.go") && !/(^|\/)testdata\//.test(name) && !/^(api|doc|misc|test)\//.test(name);
}

function isProgram(name: string): boolean {
  return name.startsWith("bin/") || name.startsWith("pkg/tool/");
}
