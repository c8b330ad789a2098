import { expect } from "expect";
import { createHash } from "node:crypto";
import { untilCheck } from "../support/agent_state.ts";
import { startNatsServer } from "../support/nats_server.ts";
import { startPostgres } from "../support/postgres.ts";
import { type Agent, startAgent } from "../support/run_agent.ts";
import { runCli } from "../support/run_cli.ts";
import { testWith } from "../support/test_with.ts";

const busPassword = `bus-${crypto.randomUUID()}`;
const wrongPassword = `wrong-${crypto.randomUUID()}`;

/** Everything that came out of an agent, and what must not be in it. */
class Transcript {
  readonly #secrets = new Map<string, string>();
  readonly #texts: { readonly where: string; readonly text: string }[] = [];

  /** Notes a secret; of an API key also its secret half and what the storage keeps of it. */
  hide(name: string, secret: string): void {
    this.#secrets.set(name, secret);
    const half = /^cc_[0-9a-f]+_(.+)$/.exec(secret)?.[1];
    if (half === undefined) return;
    this.#secrets.set(`${name}, its secret half`, half);
    this.#secrets.set(`${name}, its hash`, createHash("sha256").update(half).digest("hex"));
  }

  record(where: string, text: string): void {
    this.#texts.push({ where, text });
  }

  /** Places that hold a secret, as `GET /health: admin key`. */
  leaks(): string[] {
    return this.#texts.flatMap(({ where, text }) =>
      [...this.#secrets].filter(([, secret]) => text.includes(secret)).map(([name]) => `${where}: ${name}`)
    );
  }

  get size(): number {
    return this.#texts.length;
  }
}

/** Sends requests and records the answers, headers included. */
function recording(agent: Agent, transcript: Transcript) {
  return async (method: string, path: string, init: { key?: string; body?: unknown } = {}) => {
    const answer = await agent.fetch(path, {
      method,
      headers: {
        "content-type": "application/json",
        ...(init.key === undefined ? {} : { authorization: `Bearer ${init.key}` }),
      },
      ...(init.body === undefined ? {} : { body: JSON.stringify(init.body) }),
    });
    const text = await answer.text();
    transcript.record(`${method} ${path}`, `${JSON.stringify([...answer.headers])}\n${text}`);
    return { status: answer.status, text };
  };
}

/** Makes a key; the one answer that shows it is not recorded. */
async function makeKey(
  agent: Agent,
  transcript: Transcript,
  scope: string,
): Promise<{ id: string; key: string }> {
  const answer = await agent.fetch("/api/keys", {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ name: `test ${scope}`, scopes: [scope] }),
  });
  const made: { id: string; key: string } = await answer.json();
  transcript.hide(`key ${scope}`, made.key);
  return made;
}

/** Uses and misuses what takes a secret. */
async function useEverything(agent: Agent, transcript: Transcript): Promise<void> {
  const send = recording(agent, transcript);
  const writer = await makeKey(agent, transcript, "write");
  const reader = await makeKey(agent, transcript, "read");
  const body = { subject: "demo.created", payload: { n: 1 } };
  expect((await send("POST", "/api/events", { key: writer.key, body })).status).toBe(201);
  expect((await send("POST", "/api/events", { key: reader.key, body })).status).toBe(403);
  expect((await send("GET", "/api/events", { key: `${reader.key.slice(0, -1)}!` })).status).toBe(401);
  expect((await send("GET", "/api/keys", { key: writer.key })).status).toBe(403);
  expect((await send("DELETE", `/api/keys/${reader.id}`)).status).toBe(204);
  expect((await send("GET", "/api/events", { key: reader.key })).status).toBe(401);
  const paths = ["/api/events", "/api/events/stats", "/api/keys", "/metrics", "/api/metrics/summary"];
  const open = ["/health", "/health/nats", "/health/ready", "/openapi.json", "/docs"];
  for (const path of [...paths, ...open]) expect((await send("GET", path)).status).toBe(200);

  const { ticket } = await (await agent.fetch("/api/events/tickets", { method: "POST" })).json();
  transcript.hide("ticket", ticket);
  const anonymous = await fetch(`${agent.url}/api/events/sse?ticket=${ticket}`);
  expect(anonymous.status).toBe(200);
  await anonymous.body?.cancel();
  // Who sends a secret to the wrong place gets an answer that may repeat it; the log may not.
  for (
    const path of [
      `/api/events/${writer.key}`,
      `/${writer.key}`,
      `/api/events?ticket=${ticket}&q=${writer.key}`,
    ]
  ) {
    await (await agent.fetch(path)).body?.cancel();
  }
  const misplaced = { method: "POST", body: JSON.stringify({ subject: writer.key, payload: {} }) };
  await (await agent.fetch("/api/events", misplaced)).body?.cancel();
}

testWith({
  needs: ["nats", "postgres-programs"],
  name: "no secret is ever seen in a log line, an answer, a health report or the output of a command",
  run: async () => {
    const authorization = `authorization { user: agent, password: "${busPassword}" }`;
    await using nats = await startNatsServer({ config: authorization });
    await using postgres = await startPostgres();
    const databasePassword = new URL(postgres.url).password;
    const transcript = new Transcript();
    transcript.hide("bus password", busPassword);
    transcript.hide("database password", databasePassword);
    transcript.hide("wrong password", wrongPassword);
    const config = {
      bus: { url: nats.url, user: "agent", password: "${env:BUS_PASSWORD}" },
      storage: { url: postgres.url },
      log: { level: "debug" },
      plugins: { "event-store": {}, metrics: {} },
    };
    await using agent = await startAgent({ config, env: { BUS_PASSWORD: busPassword } });
    transcript.hide("admin key", agent.adminKey);
    await useEverything(agent, transcript);

    // Drivers like to quote what they were given when something fails.
    const send = recording(agent, transcript);
    await nats.kill();
    await postgres.stop({ mode: "immediate" });
    await untilCheck(agent, "bus", "down");
    await untilCheck(agent, "storage", "down");
    for (const path of ["/health", "/health/nats", "/api/events", "/api/events/stats", "/metrics"]) {
      await send("GET", path);
    }
    await send("POST", "/api/events", { body: { subject: "demo.created", payload: {} } });
    await postgres.restart();
    await nats.restart();
    await untilCheck(agent, "storage", "up");

    const env = { BUS_PASSWORD: busPassword };
    for (
      const words of [["check"], ["status"], ["status", "--json"], ["events", "stats"], [
        "keys",
        "list",
        "--json",
      ]]
    ) {
      const { stdout, stderr } = await runCli([...words, "--config", agent.configFile], { env });
      transcript.record(`commandcenter ${words.join(" ")}`, stdout + stderr);
    }
    await agent.stop();
    transcript.record("output of the agent", agent.output());
    expect(agent.output()).toContain('"level":"debug"');

    const wrong = startAgent({
      config: { ...config, storage: { url: postgres.url.replace(databasePassword, wrongPassword) } },
      env,
    });
    const refusal = await wrong.then(() => undefined, (error) => error);
    expect(refusal?.message).toContain("Cannot open the storage");
    transcript.record("output of an agent with a wrong password", refusal.message);
    {
      await using locked = await startAgent({ config, env: { BUS_PASSWORD: wrongPassword } });
      transcript.hide("other admin key", locked.adminKey);
      await recording(locked, transcript)("GET", "/health/nats");
      await locked.stop();
      transcript.record("output of an agent that the bus refuses", locked.output());
      expect(locked.output()).toMatch(/refuses our login/);
    }
    expect(transcript.size).toBeGreaterThan(30);
    expect(transcript.leaks()).toEqual([]);
  },
});
