import { expect } from "expect";
import { dirname, join } from "node:path";
import { copyRepository } from "../support/copy_repository.ts";

const page = await Deno.readTextFile(new URL("../../CONTRIBUTING.md", import.meta.url));

/** The files that the walk tells the reader to write, by path. */
function walkFiles(): Map<string, string> {
  const blocks = page.matchAll(/<!-- file: (\S+) -->\n+```ts\n([\s\S]*?)```/g);
  return new Map([...blocks].map((match) => [match[1]!, match[2]!]));
}

async function run(args: string[], cwd: string): Promise<{ code: number; output: string }> {
  const command = new Deno.Command(Deno.execPath(), { args, cwd, stdin: "null", env: { NO_COLOR: "1" } });
  const { code, stdout, stderr } = await command.output();
  return { code, output: new TextDecoder().decode(stdout) + new TextDecoder().decode(stderr) };
}

Deno.test("the plugin of CONTRIBUTING.md, built as the page says, passes every check and its own test", async () => {
  await using copy = await copyRepository();
  const files = walkFiles();
  expect([...files.keys()]).toContain("plugins/greeter/plugin.ts");
  for (const [path, text] of files) {
    await Deno.mkdir(join(copy.path, dirname(path)), { recursive: true });
    await Deno.writeTextFile(join(copy.path, path), text);
  }
  const registration = /"greeter": \(\) => import\([^)]*\),/.exec(page)![0];
  const registry = join(copy.path, "plugins/registry.ts");
  const before = await Deno.readTextFile(registry);
  await Deno.writeTextFile(registry, before.replace(/\n};/, `\n  ${registration}\n};`));
  await Deno.writeTextFile(
    join(copy.path, "walk.yaml"),
    "plugins:\n  event-store:\n  greeter: { greeting: Good morning }\n",
  );

  const written = [...files.keys()];
  const steps: string[][] = [
    ["fmt", "--check", ...written],
    ["lint", ...written],
    ["check", "plugins/greeter", "plugins/registry.ts"],
    ["test", "-A", "--sanitize-ops", "--sanitize-resources", "plugins/greeter"],
    ["run", "-A", "core/main.ts", "check", "--config", "walk.yaml"],
  ];
  for (const step of steps) {
    const { code, output } = await run(step, copy.path);
    expect({ step, code, output: code === 0 ? "" : output }).toEqual({ step, code: 0, output: "" });
  }
});
