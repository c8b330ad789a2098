import { expect } from "expect";
import fc from "fast-check";
import { hostname } from "node:os";
import type { Secret } from "../secret.ts";
import { faultLines, loadSample, sampleEnvironment } from "../../tests/support/sample_configuration.ts";

Deno.test("the smallest file gets all defaults", async () => {
  const configuration = await loadSample("plugins:\n");
  expect(configuration).toMatchObject({
    file: `${Deno.cwd()}/projects.yaml`,
    node: { name: hostname(), dataDir: `${Deno.cwd()}/data` },
    http: { host: "127.0.0.1", port: 9000 },
    bus: { url: "memory:" },
    storage: { url: "sqlite:" },
    jobs: { max_running: 16, history: 30 * 86_400_000, lease: 15_000, max_streams: 1000 },
    fetch: { allow: [], timeout: 300_000, max_body: 64 * 1024 ** 2, per_host: { concurrency: 4 } },
    log: { level: "info", format: "auto" },
    projects: [],
    plugins: [],
  });
  expect(configuration.node).not.toHaveProperty("id");
});

Deno.test("a full file: sections without content, plugins in file order, projects with what they leave out", async () => {
  const configuration = await loadSample(`
node: { id: hub-1a2b3c4d5e6f, name: Office, data_dir: /var/lib/cc }
http:
log: { level: warn, format: json }
projects:
  - { slug: demo, name: Demo, hub_url: "http://127.0.0.1:9000", tags: [one], allow_fanout: [audit.security] }
  - { slug: "2", name: Two, hub_url: "https://two.example/x", mesh_namespace: hub.2 }
plugins:
  metrics:
  event-store: { retention: 2h, labels: &l { a: b }, token: abc, target: { host: h } }
`);
  expect(configuration.node).toEqual({ id: "hub-1a2b3c4d5e6f", name: "Office", dataDir: "/var/lib/cc" });
  expect(configuration.log).toEqual({ level: "warn", format: "json" });
  expect(configuration.projects).toEqual([
    {
      slug: "demo",
      name: "Demo",
      hub_url: "http://127.0.0.1:9000",
      mesh_namespace: "hub.demo",
      tags: ["one"],
      allow_fanout: ["audit.security"],
    },
    {
      slug: "2",
      name: "Two",
      hub_url: "https://two.example/x",
      mesh_namespace: "hub.2",
      tags: [],
      allow_fanout: [],
    },
  ]);
  expect(configuration.plugins.map(({ plugin }) => plugin)).toMatchObject([{ name: "metrics" }, {
    name: "event-store",
  }]);
  const config = configuration.plugins[1]!.config as { retention: number; token: Secret; labels: unknown };
  expect(config).toMatchObject({ retention: 7_200_000, batch_size: 64, labels: { a: "b" } });
  expect(config.token.reveal()).toBe("abc");
});

Deno.test("placeholders: environment, files, escapes; numbers and flags from text; never parsed as YAML", async () => {
  const text = `
node: { name: "\${env:WORD} in \${file:words/one.txt}", data_dir: "\${file:dir.txt}" }
http: { port: "\${env:PORT}" }
log: { level: "\${env:LEVEL}" }
plugins:
  event-store:
    batch_size: \${env:PORT}
    strict: \${env:FLAG}
    token: \${env:SPLIT}
    target: $\${env:WORD} \${env:EMPTY}$\${x}
`;
  const configuration = await loadSample(text, {
    [`${Deno.cwd()}/words/one.txt`]: "line\r\n",
    [`${Deno.cwd()}/dir.txt`]: "/srv/data\n\n",
  });
  expect(configuration.node.name).toBe("seven-secret-words in line");
  expect(configuration.node.dataDir).toBe("/srv/data\n");
  expect(configuration.http.port).toBe(9100);
  expect(configuration.log.level).toBe("debug");
  const config = configuration.plugins[0]!.config as { token: Secret };
  expect(config).toMatchObject({ batch_size: 9100, strict: false, target: "${env:WORD} ${x}" });
  expect(config.token.reveal()).toBe(sampleEnvironment.SPLIT);
});

Deno.test("an alias bomb and a tower of brackets are refused quickly", async () => {
  const level = (index: number) => `l${index}: &l${index} [${Array(10).fill(`*l${index - 1}`).join(", ")}]`;
  const bomb = ["l0: &l0 [x, x]", ...[1, 2, 3, 4, 5, 6, 7, 8, 9].map(level), "plugins: {}"].join("\n");
  const started = performance.now();
  expect((await faultLines(bomb)).join("\n")).toContain("more than 100000 values");
  expect((await faultLines(`plugins: ${"[".repeat(200_000)}`)).length).toBeGreaterThan(0);
  expect((await faultLines(`plugins: ${"{a: ".repeat(40)}1${"}".repeat(40)}`)).join()).toContain(
    "nested more than",
  );
  expect(performance.now() - started).toBeLessThan(10_000);
});

Deno.test("whatever the file holds, only a ConfigurationError comes out, and each of its lines is one line", async () => {
  const piece = fc.constantFrom(
    ..."{}[],:-?!&*#|>'\"%@` \n\t".split(""),
    "plugins:",
    "\n  ",
    "event-store",
    "${env:WORD}",
    "${",
    "&a ",
    "*a",
    "<<: ",
    "projects:\n- ",
    "slug: a",
    "node",
    "__proto__",
    "\u2028",
    "\u0000",
    "---\n",
    "!!map ",
    "1e999",
  );
  const text = fc.oneof(
    fc.array(fc.oneof(piece, fc.string({ maxLength: 3 })), { maxLength: 40 }).map((pieces) =>
      pieces.join("")
    ),
    fc.json(),
    fc.dictionary(
      fc.constantFrom("node", "http", "bus", "storage", "log", "projects", "plugins"),
      fc.jsonValue(),
    )
      .map((value) => JSON.stringify(value)),
  );
  await fc.assert(
    fc.asyncProperty(text, async (yaml) => {
      for (const line of await faultLines(yaml)) {
        // deno-lint-ignore no-control-regex -- that there are none is what is asserted
        expect(line).toMatch(/^projects\.yaml:\d+:\d+( [^\u0000-\u001f\u2028]+)?: [^\u0000-\u001f\u2028]+$/);
        expect(line).not.toContain(sampleEnvironment.WORD);
      }
    }),
    { numRuns: 2000 },
  );
});
