import { expect } from "expect";
import { join } from "node:path";
import { runCli } from "../support/run_cli.ts";

const secret = `hunter-${crypto.randomUUID()}`;

interface Fault {
  /** The configuration, with `SECRET` where a secret stands. */
  readonly yaml: string;
  /** Whether `check` sees it already, or only the start. */
  readonly seenBy: "check" | "start";
}

/** A secret that stands where it does not belong, or is broken so that whoever reads it complains. */
const faults: Readonly<Record<string, Fault>> = {
  "a number": { yaml: "http: { port: SECRET }", seenBy: "check" },
  "a choice": { yaml: "log: { level: SECRET }", seenBy: "check" },
  "a URL of the bus with a password": { yaml: 'bus: { url: "nats://me:SECRET@localhost" }', seenBy: "check" },
  "a URL of a database that we do not speak": {
    yaml: 'storage: { url: "mysql://me:SECRET@host/x" }',
    seenBy: "check",
  },
  "a URL of a database that is none": {
    yaml: 'storage: { url: "postgres://me:SECRET@:x/" }',
    seenBy: "check",
  },
  "a proxy with a password": { yaml: 'fetch: { proxy: { url: "http://me:SECRET@proxy" } }', seenBy: "check" },
  "an unknown key": { yaml: "bus: { passwd: SECRET }", seenBy: "check" },
  "a section": { yaml: "bus: SECRET", seenBy: "check" },
  "a list": { yaml: "projects: SECRET", seenBy: "check" },
  "a plugin's settings": { yaml: "plugins: { event-store: SECRET }", seenBy: "check" },
  "an address": { yaml: "fetch: { allow: [SECRET/x] }", seenBy: "check" },
  "a folder of programs": { yaml: "exec: { path: [SECRET] }", seenBy: "check" },
  "a certificate without its key": { yaml: "bus: { tls: { certificate: SECRET } }", seenBy: "check" },
  "a seed that is none": { yaml: 'bus: { url: "nats://127.0.0.1:9", nkey: SECRET }', seenBy: "start" },
  "credentials that are none": {
    yaml: 'bus: { url: "nats://127.0.0.1:9", credentials: SECRET }',
    seenBy: "start",
  },
};

async function withConfig(yaml: string, run: (file: string) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir({ prefix: "commandcenter-faults-" });
  try {
    const file = join(folder, "projects.yaml");
    const plugins = yaml.startsWith("plugins:") ? "" : "\nplugins: {}";
    await Deno.writeTextFile(file, `${yaml}${plugins}\n`);
    await Deno.writeTextFile(join(folder, "secret"), secret);
    await run(file);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

Object.entries(faults).forEach(([name, { yaml, seenBy }], index) => {
  Deno.test(`a secret in the wrong place is not repeated: ${name}`, async () => {
    const source = index % 2 === 0 ? "${env:TEST_SECRET}" : "${file:secret}";
    await withConfig(yaml.replace("SECRET", source).replace(/: (\$\{[^}]+\})/, ': "$1"'), async (file) => {
      await Promise.all([["check", "--json"], ["start"]].map(async (words) => {
        const env = { TEST_SECRET: secret };
        const { code, stdout, stderr } = await runCli([...words, "--config", file], { env });
        expect([words, code]).toEqual([words, words[0] === "check" && seenBy === "start" ? 0 : 78]);
        expect(stdout + stderr).not.toContain(secret);
      }));
    });
  });
});
