import { download } from "./download.ts";

/** Downloads a package (a gzipped tar) from the npm registry; rejects where its SHA-512 (base64) is another. */
export function fetchNpmPackage(
  name: string,
  { version, sha512 }: { readonly version: string; readonly sha512: string },
): Promise<Uint8Array<ArrayBuffer>> {
  const file = `${name.slice(name.indexOf("/") + 1)}-${version}.tgz`;
  return download(`${registry()}/${name}/-/${file}`, {
    algorithm: "sha512",
    encoding: "base64",
    value: sha512,
  });
}

function registry(): string {
  const set = Deno.env.get("NPM_CONFIG_REGISTRY") ?? Deno.env.get("npm_config_registry");
  return (set ?? "https://registry.npmjs.org").replace(/\/$/, "");
}
