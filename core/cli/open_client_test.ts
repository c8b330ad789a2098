import { expect } from "expect";
import { dirname, join } from "node:path";
import { recordTerminal } from "../../tests/support/record_terminal.ts";
import { CliError } from "./cli_error.ts";
import { openClient } from "./open_client.ts";
import type { GlobalOptions } from "./invocation.ts";
import { readLocalSettings } from "./local_settings.ts";

/** A folder with a configuration and a key, gone after the test. */
async function withFolder(config: string, work: (file: string) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir();
  try {
    const file = join(folder, "projects.yaml");
    await Deno.writeTextFile(file, config);
    await Deno.mkdir(join(folder, "data"));
    await Deno.writeTextFile(join(folder, "data", "admin.key"), "cc_local_key\n");
    await work(file);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

function open(options: GlobalOptions, env: Record<string, string> = {}): ReturnType<typeof openClient> {
  return openClient({ terminal: recordTerminal({ env }), options, operands: [] });
}

async function refusal(work: Promise<unknown>): Promise<CliError> {
  const error = await work.then(() => undefined, (error: unknown) => error);
  expect(error).toBeInstanceOf(CliError);
  return error as CliError;
}

/** The key that a client sends to the address, seen by a listener there. */
async function sentKey(options: GlobalOptions, env: Record<string, string> = {}): Promise<string | null> {
  let seen: string | null = null;
  await using server = Deno.serve({ port: 0, hostname: "127.0.0.1", onListen: () => {} }, (request) => {
    seen = request.headers.get("authorization");
    return Response.json({});
  });
  const client = await open({ url: `http://127.0.0.1:${server.addr.port}`, ...options }, env);
  await client.request("GET", "/health");
  return seen;
}

Deno.test("settings that the file does not name have defaults; the data folder starts from the file", async () => {
  await withFolder("plugins: { event-store: }", async (file) => {
    expect(await readLocalSettings(file, {})).toEqual({
      host: "127.0.0.1",
      port: 9000,
      keyFile: join(file, "../data/admin.key"),
    });
  });
});

Deno.test("settings are filled from the environment, and faults elsewhere do not matter", async () => {
  const config =
    'http: { port: "${env:PORT}" }\nnode: { data_dir: "/srv/${env:NAME}" }\nbus: { url: "${env:UNSET}" }';
  await withFolder(config, async (file) => {
    const settings = await readLocalSettings(file, { PORT: "9123", NAME: "agent" });
    expect(settings).toEqual({ host: "127.0.0.1", port: 9123, keyFile: "/srv/agent/admin.key" });
    const unset = await refusal(readLocalSettings(file, { NAME: "agent" }));
    expect(unset).toMatchObject({ exitCode: 78 });
    expect(unset.message).toContain("line 1: the environment variable PORT is not set");
  });
});

for (
  const [config, text] of [
    ["http: [", "line 1: bad YAML"],
    ["http: { port: many }", "http.port has to be a port number"],
    ["http: { port: 70000 }", "http.port has to be a port number"],
    ["node: { data_dir: [a] }", "node.data_dir has to be plain text"],
  ] as const
) {
  Deno.test(`a faulty setting that is needed is exit status 78: ${config}`, async () => {
    await withFolder(config, async (file) => {
      const error = await refusal(readLocalSettings(file, {}));
      expect(error.exitCode).toBe(78);
      expect(error.message).toContain(text);
    });
  });
}

Deno.test("a relative name of the configuration begins where the command line was typed", async () => {
  await withFolder("http: { port: 9123 }", async (file) => {
    const typedThere = { INIT_CWD: dirname(file) }; // `deno task` sets it, and runs in the folder of the project
    const there = { port: 9123, keyFile: join(dirname(file), "data", "admin.key") };
    expect(await readLocalSettings("projects.yaml", typedThere)).toMatchObject(there);
    expect(await readLocalSettings(file, { INIT_CWD: "/nonexistent" })).toMatchObject(there);
    const named = { ...typedThere, COMMANDCENTER_CONFIG: "./data/../projects.yaml" };
    expect(await readLocalSettings(undefined, named)).toMatchObject(there);
    const here = join(Deno.cwd(), "data", "admin.key"); // without a name it is the project's own
    expect(await readLocalSettings(undefined, typedThere)).toMatchObject({ port: 9000, keyFile: here });
  });
});

Deno.test("a configuration that is named has to exist", async () => {
  const error = await refusal(readLocalSettings("/nonexistent/projects.yaml", {}));
  expect(error).toMatchObject({
    exitCode: 78,
    message: 'Cannot read "/nonexistent/projects.yaml": no such file',
  });
});

Deno.test("the local key is sent to an agent on this host", async () => {
  await withFolder("{}", async (config) => {
    expect(await sentKey({ config })).toBe("Bearer cc_local_key");
  });
});

Deno.test("a key that is given goes before the local one, an option before the environment", async () => {
  await withFolder("{}", async (config) => {
    expect(await sentKey({ config }, { COMMANDCENTER_KEY: "cc_env" })).toBe("Bearer cc_env");
    expect(await sentKey({ config, key: "cc_option" }, { COMMANDCENTER_KEY: "cc_env" })).toBe(
      "Bearer cc_option",
    );
  });
});

for (
  const url of [
    "http://hub.example.org:9000",
    "http://127.0.0.1.example.org",
    "http://10.0.0.1:9000",
    "https://[2001:db8::1]",
  ]
) {
  Deno.test(`the local key is never sent elsewhere: ${url}`, async () => {
    await withFolder("{}", async (config) => {
      const error = await refusal(open({ config, url }));
      expect(error.exitCode).toBe(77);
      expect(error.message).toContain("that is not this host");
      expect(error.hint).toContain("--key");
      await refusal(open({ config }, { COMMANDCENTER_URL: url }));
      expect((await open({ config, url, key: "cc_theirs" })).url).toBe(url);
    });
  });
}

Deno.test("the address that the configuration listens on is this host", async () => {
  await withFolder("http: { host: 192.0.2.7, port: 9100 }", async (config) => {
    expect((await open({ config })).url).toBe("http://192.0.2.7:9100");
    expect((await open({ config, url: "http://192.0.2.7:9100/" })).url).toBe("http://192.0.2.7:9100");
    expect((await refusal(open({ config, url: "http://192.0.2.7:9101" }))).exitCode).toBe(77);
  });
});

Deno.test("an agent that listens on every address is asked over the loopback one", async () => {
  await withFolder("http: { host: 0.0.0.0 }", async (config) => {
    expect((await open({ config })).url).toBe("http://127.0.0.1:9000");
  });
  await withFolder('http: { host: "::" }', async (config) => {
    expect((await open({ config })).url).toBe("http://[::1]:9000");
  });
});

for (const url of ["hub", "ftp://hub", "http://user:secret@hub", "http://hub/?a=b", "http://"]) {
  Deno.test(`"${url}" is no address`, async () => {
    const error = await refusal(open({ url, key: "cc_key" }));
    expect(error.exitCode).toBe(2);
    expect(error.message).not.toContain("secret");
  });
}

Deno.test("a key that could not stand in a header is refused", async () => {
  expect((await refusal(open({ url: "http://127.0.0.1:1", key: "a\nb" }))).exitCode).toBe(2);
});

Deno.test("no file is needed where address and key are given", async () => {
  const client = await open({ config: "/nonexistent", url: "http://127.0.0.1:1", key: "cc_key" });
  expect(client.url).toBe("http://127.0.0.1:1");
});
