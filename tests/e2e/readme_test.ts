import { expect } from "expect";
import { join } from "node:path";
import { parse } from "yaml";
import { busSettings } from "../../core/bus/settings.ts";
import { copyRepository } from "../support/copy_repository.ts";
import { freePort } from "../support/free_port.ts";
import { spawnChild } from "../support/spawn_child.ts";
import { waitFor } from "../support/wait_for.ts";

const root = join(import.meta.dirname!, "../..");
const readme = await Deno.readTextFile(join(root, "README.md"));

/** Commands of the page's shell blocks, one each; lines that end in a backslash go on. */
const commands = [...readme.matchAll(/```sh\n([\s\S]*?)```/g)]
  .flatMap((block) => block[1]!.replaceAll("\\\n", " ").split("\n"))
  .map((line) => line.replace(/\s+#.*$/, "").trim())
  .filter((line) => line !== "");

/** What each command of the page has to print; every command has to be listed. */
const expected: readonly (readonly [start: string, prints: RegExp])[] = [
  ["npx -y deno@2.9.6 task start", /Admin key +\S+admin\.key/],
  ["npx -y deno@2.9.6 task test", /./],
  ["alias commandcenter=", /^$/],
  ["commandcenter events publish demo.hello", /seq +1\b/],
  ["commandcenter events query", /demo\.hello[^\n]*"Hello"/],
  ["commandcenter events follow", /demo\.hello[^\n]*"Hello"/],
  ["curl -sS http://127.0.0.1:9000/api/events ", /"seq":2/],
  ['curl -sS "http://127.0.0.1:9000/api/events?', /"items":\[.*"Hello".*"Hello again".*"next":null/],
  ["curl -sSN ", /id: 1\n.*"Hello"[\s\S]*id: 2\n.*"Hello again"/],
  ["commandcenter keys create website", /cc_[0-9a-zA-Z]+_\S{20,}/],
  ["commandcenter status", /healthy/],
];

const hasNpx = (Deno.env.get("PATH") ?? "").split(":").some((folder) => {
  try {
    return Deno.statSync(join(folder, "npx")).isFile;
  } catch {
    return false;
  }
});

/** The command as the page says it, for a machine on which its port is taken or npx is not there. */
function adapted(command: string, port: number): string {
  const here = command.replaceAll("9000", String(port));
  return hasNpx ? here : here.replaceAll("npx -y deno@2.9.6", `'${Deno.execPath()}'`);
}

Deno.test("the page's commands are all known to this test, in their order", () => {
  expect(commands.map((command) => expected.find(([start]) => command.startsWith(start))?.[0] ?? command))
    .toEqual(expected.map(([start]) => start));
});

Deno.test("the two commands are the ones that CI runs", async () => {
  const ci = await Deno.readTextFile(join(root, ".ci/run"));
  expect(ci).toContain("deno@2.9.6");
  expect(ci).toContain("task test");
});

Deno.test("a newcomer pastes the page, and gets what it promises", async () => {
  await using copy = await copyRepository();
  const port = freePort();
  const shipped = join(copy.path, "projects.yaml");
  await Deno.writeTextFile(shipped, (await Deno.readTextFile(shipped)).replaceAll("9000", String(port)));
  const alias = commands.find((command) => command.startsWith("alias"))!;
  // `timeout` passes a signal on to everything that the shell started, which for a followed stream is a chain of four.
  const run = (command: string) =>
    spawnChild("timeout", {
      args: [
        "300",
        "bash",
        "-c",
        `shopt -s expand_aliases\n${adapted(alias, port)}\n${adapted(command, port)}`,
      ],
      cwd: copy.path,
      env: { NO_COLOR: "1" },
    });

  const [start, , , ...rest] = commands;
  const agent = run(start!);
  try {
    await waitFor(() => expected[0]![1].test(agent.output()), { what: "the greeting", timeoutMs: 120_000 });
    for (const command of rest) {
      const child = run(command);
      const prints = expected.find(([beginning]) => command.startsWith(beginning))![1];
      try {
        await waitFor(() => prints.test(child.output()), {
          what: `${command} to print ${prints}`,
          timeoutMs: 60_000,
        });
      } catch (error) {
        throw new Error(`${command} printed: ${child.output()}`, { cause: error });
      } finally {
        if (child.running) child.signal("SIGTERM");
        await child.exited;
      }
    }
  } finally {
    // The shell and npx stand between us and the agent: it is asked by its own pid.
    Deno.kill(Number(await Deno.readTextFile(join(copy.path, "data/lock.pid"))), "SIGTERM");
    await agent.exited;
  }
});

Deno.test("the configuration that the page shows is taken as it is", async () => {
  const block = /```yaml\n([\s\S]*?)```/.exec(readme)![1]!;
  const shown = parse(block);
  expect(Object.keys(shown)).toEqual(["node", "http", "bus", "storage", "projects", "plugins"]);
  expect(busSettings.safeParse(shown.bus).success).toBe(true);
  const folder = await Deno.makeTempDir();
  await Deno.writeTextFile(join(folder, "projects.yaml"), block);
  const { code } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", join(root, "core/main.ts"), "check", "--config", join(folder, "projects.yaml")],
    stdout: "null",
  }).output();
  expect(code).toBe(0);
  await Deno.remove(folder, { recursive: true });
});
