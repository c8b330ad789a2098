import { nkeys } from "@nats-io/transport-node";
import { expect } from "expect";
import { Buffer } from "node:buffer";
import { join } from "node:path";
import { ConfigurationError } from "../../core/errors.ts";
import { startNatsServer } from "../support/nats_server.ts";
import { testWithNats } from "../support/test_with.ts";
import { type Certificates, makeCertificates } from "./bus_certificates.ts";
import { type OpenedNats, openNats } from "./bus_nats_opener.ts";
import { bytes } from "./bus_case.ts";

type Settings = Parameters<typeof openNats>[0];
type KeyPair = ReturnType<typeof nkeys.createUser>;

async function demandWorking({ bus }: OpenedNats): Promise<void> {
  expect(bus.status()).toMatchObject({ connected: true });
  expect(bus.status().problem).toBe(undefined);
  expect(await bus.append("hub.hub-1.a.b", bytes("1"), { id: "1" })).toEqual({ duplicate: false });
}

/** Opens with `settings` and expects them to work, then with `wrong` and expects a problem that says so. */
async function testLogin(
  config: string,
  { settings, wrong }: { settings: Settings; wrong: Settings },
): Promise<void> {
  await using server = await startNatsServer({ config });
  await using opened = await openNats({ url: server.url, ...settings });
  await demandWorking(opened);
  await using refused = await openNats({ url: server.url, ...wrong });
  expect(refused.bus.status().connected).toBe(false);
  expect(refused.bus.status().problem).toContain("refuses our login");
  expect(JSON.stringify([refused.lines, refused.bus.status()])).not.toContain("hush");
}

testWithNats("NATS: a token", () =>
  testLogin(`authorization { token: "hush-token" }`, {
    settings: { token: "hush-token" },
    wrong: { token: "hush-wrong" },
  }));

testWithNats(
  "NATS: user and password",
  () =>
    testLogin(`authorization { user: agent, password: "hush-password" }`, {
      settings: { user: "agent", password: "hush-password" },
      wrong: { user: "agent", password: "hush-wrong" },
    }),
);

testWithNats("NATS: an nkey", () => {
  const [user, stranger] = [nkeys.createUser(), nkeys.createUser()];
  return testLogin(`authorization { users: [{ nkey: ${user.getPublicKey()} }] }`, {
    settings: { nkey: `${seedOf(user)}\n` },
    wrong: { nkey: seedOf(stranger) },
  });
});

testWithNats("NATS: a .creds file", () => {
  const operator = nkeys.createOperator();
  const [system, account] = [nkeys.createAccount(), nkeys.createAccount()];
  const [user, stranger] = [nkeys.createUser(), nkeys.createUser()];
  const none = { subs: -1, data: -1, payload: -1 };
  const limits = { ...none, imports: -1, exports: -1, wildcards: true, conn: -1, leaf: -1 };
  const stored = { mem_storage: -1, disk_storage: -1, streams: -1, consumer: -1 };
  const accounts = [
    [system, { type: "account", limits }],
    [account, { type: "account", limits: { ...limits, ...stored } }],
  ] as const;
  const preload = accounts.map(([key, claims]) => `${key.getPublicKey()}: ${jwt(key, operator, claims)}`);
  const config = `operator: ${jwt(operator, operator, { type: "operator" })}
    system_account: ${system.getPublicKey()}
    resolver: MEMORY
    resolver_preload: { ${preload.join("\n")} }`;
  const credentials = (seed: string) =>
    `-----BEGIN NATS USER JWT-----\n${jwt(user, account, { type: "user", ...none })}\n` +
    `------END NATS USER JWT------\n\n-----BEGIN USER NKEY SEED-----\n${seed}\n------END USER NKEY SEED------\n`;
  return testLogin(config, {
    settings: { credentials: credentials(seedOf(user)) },
    wrong: { credentials: credentials(seedOf(stranger)) },
  });
});

testWithNats("NATS: TLS, with a certificate of our own where the server asks for it", async () => {
  await using files = await certificateFiles();
  const { certificates: { ca, client }, config } = files;
  await using server = await startNatsServer({ config: config("verify: true") });
  const url = server.url.replace("nats:", "tls:");
  const { certificate, key } = client;
  await using opened = await openNats({ url, tls: { ca, certificate, key } });
  await demandWorking(opened);
  await using anonymous = await openNats({ url, tls: { ca } });
  expect(anonymous.bus.status().connected).toBe(false);
});

testWithNats("NATS: a server that we have no reason to trust is not talked to", async () => {
  await using files = await certificateFiles();
  await using server = await startNatsServer({ config: files.config("") });
  await using trusting = await openNats({ url: server.url, tls: { ca: files.certificates.ca } });
  await demandWorking(trusting);
  for (const url of [server.url, server.url.replace("nats:", "tls:")]) {
    await using wary = await openNats({ url });
    expect(wary.bus.status().connected).toBe(false);
    expect(wary.bus.status().problem).toMatch(/certificate|issuer|self.signed/i);
  }
});

testWithNats("NATS: tls:// does not fall back to plain text", async () => {
  await using server = await startNatsServer();
  await using opened = await openNats({ url: server.url.replace("nats:", "tls:") });
  expect(opened.bus.status().connected).toBe(false);
  expect(opened.bus.status().problem).toContain("does not offer TLS");
});

for (const key of ["credentials", "nkey"]) {
  Deno.test(`NATS: ${key} that cannot be right stop the start, without showing them`, async () => {
    const error = await openNats({ url: "nats://127.0.0.1:1", [key]: "hush" }).catch((error) => error);
    expect(error).toBeInstanceOf(ConfigurationError);
    expect(error.lines).toEqual([expect.stringContaining(`Cannot use "bus.${key}"`)]);
    expect(error.message).not.toContain("hush");
  });
}

async function certificateFiles() {
  const folder = await Deno.makeTempDir({ prefix: "commandcenter-tls-" });
  const certificates: Certificates = makeCertificates();
  const { ca, server } = certificates;
  const files = { "ca.pem": ca, "server.pem": server.certificate, "server.key": server.key };
  for (const [name, text] of Object.entries(files)) await Deno.writeTextFile(join(folder, name), text);
  const path = (name: string) => JSON.stringify(join(folder, name));
  return {
    certificates,
    config: (more: string) =>
      `tls { cert_file: ${path("server.pem")}, key_file: ${path("server.key")}, ca_file: ${
        path("ca.pem")
      }\n${more} }`,
    [Symbol.asyncDispose]: () => Deno.remove(folder, { recursive: true }),
  };
}

function seedOf(key: KeyPair): string {
  return new TextDecoder().decode(key.getSeed());
}

/** What `issuer` signed about `subject`, as nats-server reads it. */
function jwt(subject: KeyPair, issuer: KeyPair, claims: Record<string, unknown>): string {
  const encode = (part: unknown) => Buffer.from(JSON.stringify(part)).toString("base64url");
  const body = {
    jti: crypto.randomUUID(),
    iat: Math.floor(Date.now() / 1000),
    iss: issuer.getPublicKey(),
    sub: subject.getPublicKey(),
    name: "test",
    nats: { version: 2, ...claims },
  };
  const signed = `${encode({ typ: "JWT", alg: "ed25519-nkey" })}.${encode(body)}`;
  return `${signed}.${Buffer.from(issuer.sign(bytes(signed))).toString("base64url")}`;
}
