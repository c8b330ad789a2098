import { expect } from "expect";
import { join } from "node:path";
import manifest from "../deno.json" with { type: "json" };
import { freePort } from "../tests/support/free_port.ts";
import { isPacked, program, programArgs, repository, runCli } from "../tests/support/run_cli.ts";

/** Nobody listens there, and no key of this host is involved. */
const nobody = () => ["--url", `http://127.0.0.1:${freePort()}`, "--key", "cc_test"];

Deno.test(
  { name: "version tells the version of deno.json, as text and as JSON", ignore: isPacked },
  async () => {
    const text = await runCli(["version"]);
    expect(text.code).toBe(0);
    expect(text.stdout).toMatch(/^commandcenter \S+ \(Deno \S+, \w+ \w+\)\n$/);
    expect(text.stdout).toContain(` ${manifest.version} (Deno ${Deno.version.deno}, `);
    expect(await runCli(["--version"])).toMatchObject({ code: 0, stdout: `${manifest.version}\n` });
    const json = await runCli(["version", "--json"]);
    expect(JSON.parse(json.stdout)).toMatchObject({ version: manifest.version, deno: Deno.version.deno });
  },
);

Deno.test("help documents every exit status and the options for all commands", async () => {
  const { code, stdout } = await runCli(["--help"]);
  expect(code).toBe(0);
  for (const status of ["0", "1", "2", "69", "77", "78", "130"]) {
    expect(stdout).toMatch(new RegExp(`^  ${status} +\\w`, "m"));
  }
  const follow = await runCli(["events", "follow", "--help"]);
  expect(follow.code).toBe(0);
  for (const option of ["--after-seq", "--since", "--url", "--key", "--json", "--config"]) {
    expect(follow.stdout).toContain(option);
  }
});

for (
  const [words, text] of [
    [[], "Usage: commandcenter"],
    [["events"], "Usage: commandcenter events"],
    [["strat"], "(Did you mean start?)"],
    [["events", "query", "--sbject", "a"], "(Did you mean --subject?)"],
    [["events", "query", "--limit", "0"], "It has to be a whole number, 1 or more."],
    [["events", "query", "--order", "up"], "Allowed choices are asc, desc."],
    [["events", "query", "a"], "too many arguments"],
    [["events", "publish"], "missing required argument 'subject'"],
    [["events", "publish", "demo.hello", "{text:1}"], "Cannot read the payload: it is no JSON"],
    [["keys", "create", "ci"], "--scope"],
    [["keys", "create", "ci", "--scope", "root"], "Allowed choices are read, write, admin."],
    [["status", "--url", "localhost"], 'Cannot use "localhost" as the address of an agent'],
  ] as const
) {
  Deno.test(`a usage error is exit status 2: ${words.join(" ")}`, async () => {
    const { code, stdout, stderr } = await runCli(words);
    expect({ code, stdout }).toEqual({ code: 2, stdout: "" });
    expect(stderr).toContain(text);
  });
}

for (
  const words of [
    ["status"],
    ["events", "publish", "demo.hello", '{"a":1}'],
    ["events", "query"],
    ["events", "follow"],
    ["events", "stats"],
    ["keys", "list"],
    ["keys", "create", "ci", "--scope", "read"],
    ["keys", "revoke", "k1"],
  ]
) {
  Deno.test(`no agent there is exit status 69: ${words.join(" ")}`, async () => {
    const address = nobody();
    const { code, stdout, stderr } = await runCli([...words, ...address]);
    expect({ code, stdout }).toEqual({ code: 69, stdout: "" });
    expect(stderr).toContain(`error: Cannot reach the agent at ${address[1]}: `);
    expect(stderr).toContain("Is it running?");
  });
}

for (const command of ["start", "check", "status"]) {
  Deno.test(`a configuration that does not exist is exit status 78: ${command}`, async () => {
    const { code, stdout, stderr } = await runCli([command, "--config", "/nonexistent/projects.yaml"]);
    expect({ code, stdout }).toEqual({ code: 78, stdout: "" });
    expect(stderr).toContain('Cannot read "/nonexistent/projects.yaml": no such file');
    expect(stderr).not.toContain("    at ");
  });
}

Deno.test("every fault of a configuration is a line on standard error", async () => {
  const folder = await Deno.makeTempDir();
  try {
    const file = join(folder, "projects.yaml");
    await Deno.writeTextFile(file, "htp: {}\nhttp: { port: many }\nplugins: { event-stroe: }\n");
    for (const command of ["start", "check"]) {
      const { code, stdout, stderr } = await runCli([command, "--config", file]);
      expect({ code, stdout }).toEqual({ code: 78, stdout: "" });
      const lines = stderr.trimEnd().split("\n").filter((line) => line.startsWith(file));
      expect(lines).toHaveLength(3);
      expect(lines[0]).toContain('did you mean "http"?');
      expect(lines[2]).toContain('did you mean "event-store"?');
    }
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("a redirect takes the key nowhere", async () => {
  let visited = false;
  await using elsewhere = Deno.serve({ port: 0, hostname: "127.0.0.1", onListen: () => {} }, () => {
    visited = true;
    return Response.json({});
  });
  await using server = Deno.serve(
    { port: 0, hostname: "127.0.0.1", onListen: () => {} },
    () => Response.redirect(`http://127.0.0.1:${elsewhere.addr.port}/`),
  );
  const { code, stderr } = await runCli([
    "events",
    "query",
    "--url",
    `http://127.0.0.1:${server.addr.port}`,
    "--key",
    "cc_test",
  ]);
  expect({ code, visited }).toEqual({ code: 1, visited: false });
  expect(stderr).toContain("Is that the address of a CommandCenter agent?");
});

Deno.test("a server that is no agent is told as such", async () => {
  await using server = Deno.serve(
    { port: 0, hostname: "127.0.0.1", onListen: () => {} },
    () => new Response("<h1>It works!\u001b[2J</h1>", { headers: { "content-type": "text/html" } }),
  );
  const address = ["--url", `http://127.0.0.1:${server.addr.port}`, "--key", "cc_test"];
  for (const words of [["status"], ["events", "query"], ["events", "follow", "--after-seq", "0"]]) {
    const { code, stdout, stderr } = await runCli([...words, ...address]);
    expect({ code, stdout }).toEqual({ code: 1, stdout: "" });
    expect(stderr).toContain("status 200, text/html");
  }
});

Deno.test("a proxy in the environment is not asked for an agent on this host", async () => {
  await using server = Deno.serve(
    { port: 0, hostname: "127.0.0.1", onListen: () => {} },
    () => Response.json({ status: "healthy", checks: [] }),
  );
  const { code } = await runCli(["status", "--url", `http://127.0.0.1:${server.addr.port}`], {
    env: { HTTP_PROXY: `http://127.0.0.1:${freePort()}`, NO_PROXY: "" },
  });
  expect(code).toBe(0);
});

Deno.test("a reader that has seen enough ends the program quietly", async () => {
  const child = new Deno.Command(program, {
    args: programArgs(["completion", "bash"]),
    cwd: repository,
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  await child.stdout.cancel();
  const [{ code }, stderr] = await Promise.all([child.status, new Response(child.stderr).text()]);
  expect(code).toBe(0);
  expect(stderr).not.toContain("error");
});

for (const [signal, status] of [["SIGINT", 130], ["SIGTERM", 143]] as const) {
  Deno.test(`a command that ${signal} interrupts ends by itself with status ${status}`, async () => {
    const asked = Promise.withResolvers<void>();
    const answer = Promise.withResolvers<Response>();
    await using server = Deno.serve({ port: 0, hostname: "127.0.0.1", onListen: () => {} }, () => {
      asked.resolve();
      return answer.promise;
    });
    const child = new Deno.Command(program, {
      args: programArgs(["status", "--url", `http://127.0.0.1:${server.addr.port}`]),
      cwd: repository,
      stdout: "null",
      stderr: "piped",
    }).spawn();
    await asked.promise;
    child.kill(signal);
    const [ended, stderr] = await Promise.all([child.status, new Response(child.stderr).text()]);
    answer.resolve(new Response());
    expect(ended).toEqual({ success: false, code: status, signal: null });
    expect(stderr).not.toContain("error");
  });
}
