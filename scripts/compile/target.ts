/** A system that the program can be packed for, as each runtime calls it. */
export interface Target {
  readonly name: string;
  readonly deno: string;
  readonly bun: string;
  /** What Bun is called in the npm registry, and the `integrity` of that package. */
  readonly bunPackage: string;
  readonly bunSha512: string;
}

/** The version of Bun whose packages are pinned below. */
export const bunVersion = "1.4.5";

/** Every system that both runtimes can be had for. */
export const targets: readonly Target[] = [
  {
    name: "linux-x64",
    deno: "x86_64-unknown-linux-gnu",
    bun: "bun-linux-x64",
    bunPackage: "@oven/bun-linux-x64",
    bunSha512: "IWX9BELoGHAUtMonkeSaNaZwXzRk+oDw6Mk+HBFXd3KHYIBNBsIGRupMZPcgNoDbJpLu6gAJjIoIVPZtt1aJ1g==",
  },
  {
    name: "linux-arm64",
    deno: "aarch64-unknown-linux-gnu",
    bun: "bun-linux-arm64",
    bunPackage: "@oven/bun-linux-aarch64",
    bunSha512: "4BXmsSKnjOrlGWqZV4x/oWa7AVoR+B6lCXddMzOAXBIm3t50eslg9wb66gmtW1AamEQ1l1CDvmmruysEhqOWMg==",
  },
  {
    name: "macos-x64",
    deno: "x86_64-apple-darwin",
    bun: "bun-darwin-x64",
    bunPackage: "@oven/bun-darwin-x64",
    bunSha512: "qkLPMGHZM9NI6CeHTWwVezzmlo6cC4Ta7yUAjYIWXS366qQcOlcp75t2uZyiuVRBMPS0h9qE0tCcvCHGaFqjJg==",
  },
  {
    name: "macos-arm64",
    deno: "aarch64-apple-darwin",
    bun: "bun-darwin-arm64",
    bunPackage: "@oven/bun-darwin-aarch64",
    bunSha512: "4MIFXHmctH2EhAxLXm2/qxNtv17dFtLJylvaOCsrgq6KSqHTs6eW5YSrJjRbJxYUJaR901fsN8JfZOa+CsWpWQ==",
  },
];

/** The system this runs on; throws where the program cannot be packed there. */
export function ownTarget(): Target {
  return targetOf(
    `${Deno.build.os === "darwin" ? "macos" : Deno.build.os}-${
      Deno.build.arch === "aarch64" ? "arm64" : "x64"
    }`,
  );
}

/** The target of this name, such as `linux-x64`; throws with the list of those that there are. */
export function targetOf(name: string): Target {
  const target = targets.find((each) => each.name === name);
  if (target) return target;
  const names = targets.map((each) => each.name).join(", ");
  throw new Error(`Cannot pack for "${name}": there is no such target, only ${names}`);
}
