import { expect } from "expect";
import { fileURLToPath } from "node:url";

/** Deno shows `/proc` only to programs with all permissions, and follows links by itself for all others. */
const permissions = [
  "--allow-read",
  "--allow-write",
  "--allow-env",
  "--allow-sys",
  "--allow-run",
  "--allow-net",
];

Deno.test("all of that holds without /proc, too, as in a packed program with its permissions", async () => {
  const files = ["path_root_test.ts", "path_race_test.ts"].map((name) =>
    fileURLToPath(new URL(name, import.meta.url))
  );
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["test", ...permissions, "--no-check", ...files],
    env: { NO_COLOR: "1" },
  }).output();
  expect(`${code}\n${new TextDecoder().decode(stdout)}${new TextDecoder().decode(stderr)}`).toMatch(/^0\n/);
});
