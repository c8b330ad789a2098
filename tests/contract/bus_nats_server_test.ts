import { expect } from "expect";
import { createServer, type Socket } from "node:net";
import { ConfigurationError } from "../../core/errors.ts";
import { freePort } from "../support/free_port.ts";
import { startNatsServer } from "../support/nats_server.ts";
import { testWithNats } from "../support/test_with.ts";
import { waitFor } from "../support/wait_for.ts";
import { manage, openNats, streamName } from "./bus_nats_opener.ts";
import { bytes, codeOf, text } from "./bus_case.ts";

const subject = "hub.hub-1.a.b";

testWithNats("NATS: the stream is made as configured", async () => {
  await using server = await startNatsServer();
  const stream = {
    name: "EVENTS",
    max_age: "2h",
    max_bytes: "10mb",
    duplicate_window: "90s",
    storage: "memory",
  } as const;
  await using _opened = await openNats({ url: server.url, stream });
  const { config } = await manage(server.url, (manager) => manager.streams.info("EVENTS"));
  expect(config).toMatchObject({
    subjects: ["hub.*.*.>"],
    max_age: 7200e9,
    max_bytes: 10 * 1024 * 1024,
    duplicate_window: 90e9,
    storage: "memory",
    num_replicas: 1,
    discard: "old",
    retention: "limits",
  });
});

testWithNats(
  "NATS: a stream with other settings is used, named in a warning, and never altered",
  async () => {
    await using server = await startNatsServer();
    const before = await manage(
      server.url,
      (manager) =>
        manager.streams.add({ name: streamName, subjects: ["hub.*.*.>", "more.>"], max_age: 3600e9 }),
    );
    await using opened = await openNats({ url: server.url });
    expect(await opened.bus.append(subject, bytes("1"), { id: "1" })).toEqual({ duplicate: false });
    expect(opened.bus.status().problem).toBe(undefined);
    const warnings = opened.lines.filter((line) => line.startsWith("warn"));
    expect(warnings).toEqual([expect.stringContaining(`Stream "${streamName}" exists with other settings`)]);
    expect(warnings[0]).toMatch(/subjects is .*max_age is 3600000000000, configured 604800000000000/);
    const after = await manage(server.url, (manager) => manager.streams.info(streamName));
    expect(after.config).toEqual(before.config);
  },
);

testWithNats("NATS: a stream that cannot hold the events is a problem, and left alone", async () => {
  await using server = await startNatsServer();
  await manage(server.url, (manager) => manager.streams.add({ name: streamName, subjects: ["other.>"] }));
  await using opened = await openNats({ url: server.url });
  expect(opened.bus.status().connected).toBe(true);
  expect(opened.bus.status().problem).toContain("configure another bus.stream.name");
  expect(await codeOf(() => opened.bus.append(subject, bytes("1"), { id: "1" }))).toBe("unavailable");
  const { config } = await manage(server.url, (manager) => manager.streams.info(streamName));
  expect(config.subjects).toEqual(["other.>"]);
});

testWithNats("NATS: appending finds out that the stream was removed, and it is made again", async () => {
  await using server = await startNatsServer();
  await using opened = await openNats({ url: server.url });
  const { bus } = opened;
  const identity = await bus.streamIdentity();
  await manage(server.url, (manager) => manager.streams.delete(streamName));
  const append = () => codeOf(() => bus.append(subject, bytes("1"), { id: "1" }));
  expect(await append()).toBe("unavailable");
  expect(bus.status().problem).toContain("is gone from the server");
  await opened.status("well", ({ problem }) => problem === undefined);
  expect(await append()).toBe(undefined);
  expect(await bus.streamIdentity()).not.toBe(identity);
});

testWithNats("NATS: without JetStream the bus says what to do, and live messages work", async () => {
  await using server = await startNatsServer({ jetstream: false });
  await using opened = await openNats({ url: server.url });
  const { bus } = opened;
  expect(bus.status().connected).toBe(true);
  expect(bus.status().problem).toContain("start nats-server with -js");
  expect(await codeOf(() => bus.append(subject, bytes("1"), { id: "1" }))).toBe("unavailable");
  expect(await codeOf(() => bus.streamIdentity())).toBe("unavailable");
  bus.respond("rpc.a", () => Promise.resolve({ data: bytes("yes") }));
  expect(text(await bus.request("rpc.a", bytes(""), { timeoutMs: 5000 }))).toBe("yes");
});

testWithNats("NATS: the server's own limit decides what is too large", async () => {
  await using server = await startNatsServer({ config: "max_payload: 4KB" });
  await using opened = await openNats({ url: server.url });
  const { bus } = opened;
  const append = (sizeBytes: number) =>
    codeOf(() => bus.append(subject, new Uint8Array(sizeBytes), { id: "0123456789", headers: { a: "ü" } }));
  const fits = Array.from({ length: 200 }, (_, index) => 4096 - index);
  const codes = [];
  for (const sizeBytes of fits) codes.push(await append(sizeBytes));
  expect(new Set(codes)).toEqual(new Set(["too_large", undefined]));
  // The server closes the connection on a message that is too large: ours never was.
  expect(bus.status()).toMatchObject({ connected: true, reconnects: 0 });
});

testWithNats("NATS: a subject that this user may not use is named, and does not hang", async () => {
  const permissions = `permissions: { publish: { deny: "rpc.secret" }, subscribe: { deny: "hint.secret" } }`;
  const config = `authorization { users: [{ user: agent, password: pass, ${permissions} }] }`;
  await using server = await startNatsServer({ config });
  await using opened = await openNats({ url: server.url, user: "agent", password: "pass" });
  const { bus } = opened;
  expect(await codeOf(() => bus.request("rpc.secret", bytes(""), { timeoutMs: 60_000 }))).toBe("unavailable");
  bus.subscribe("hint.secret", () => {});
  await bus.probe(5000);
  await waitFor(() => opened.lines.some((line) => line.includes(`Cannot subscribe to "hint.secret"`)), {
    what: "the warning",
  });
  expect(bus.status().connected).toBe(true);
});

testWithNats("NATS: hosts share queues and durable consumers, and answer each other", async () => {
  await using server = await startNatsServer();
  await using one = await openNats({ url: server.url });
  await using two = await openNats({ url: server.url });
  const counts = { queue: [0, 0], durable: [0, 0] };
  const events = Array.from({ length: 100 }, (_, index) => String(index));
  await Promise.all(events.map((id) => one.bus.append(subject, bytes(id), { id })));
  for (const [index, { bus }] of [one, two].entries()) {
    bus.subscribe("hint.a", () => void counts.queue[index]!++, { queue: "workers" });
    bus.consume({ durable: "shared", pattern: "hub.>", start: "first" }, async () => {
      counts.durable[index]!++;
      await new Promise((resolve) => setTimeout(resolve, 1));
    });
    bus.respond(`rpc.${index}.name`, () => Promise.resolve({ data: bytes(`host ${index}`) }));
    await bus.probe(5000);
  }
  for (let index = 0; index < 100; index++) one.bus.publish("hint.a", bytes("x"));
  const sum = (numbers: number[]) => numbers.reduce((total, number) => total + number, 0);
  await waitFor(() => sum(counts.queue) === 100 && sum(counts.durable) === 100, { what: "all messages" });
  expect(Math.min(...counts.queue, ...counts.durable)).toBeGreaterThan(0);
  expect(text(await one.bus.request("rpc.1.name", bytes(""), { timeoutMs: 5000 }))).toBe("host 1");
  expect(text(await two.bus.request("rpc.0.name", bytes(""), { timeoutMs: 5000 }))).toBe("host 0");
  expect(await two.bus.append(subject, bytes("0"), { id: "0" })).toEqual({ duplicate: true });
});

testWithNats("NATS: of several servers one that answers is taken", async () => {
  await using server = await startNatsServer();
  const url = `nats://127.0.0.1:${freePort()}, ${server.url}`;
  await using opened = await openNats({ url });
  expect(opened.bus.status()).toMatchObject({ connected: true, url: url.replace(" ", "") });
});

/** Answers the handshake as a server of that version would. */
async function pretendServer(version: string, port: number): Promise<AsyncDisposable> {
  return await listen(port, (socket) => {
    socket.write(greeting(version));
    socket.on("data", (part) => part.includes("PING") && socket.write("PONG\r\n"));
  });
}

function greeting(version: string): string {
  const info = {
    server_id: "A",
    version,
    go: "go1",
    host: "127.0.0.1",
    headers: true,
    max_payload: 1048576,
    proto: 1,
  };
  return `INFO ${JSON.stringify(info)}\r\n`;
}

async function listen(port: number, serve: (socket: Socket) => void): Promise<AsyncDisposable> {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket.on("error", () => {})); // its client may be gone already
    serve(socket);
  });
  await new Promise<void>((resolve) => server.listen(port, "127.0.0.1", resolve));
  return {
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

const resets: [moment: string, serve: (socket: Socket) => void][] = [
  ["at once", (socket) => socket.resetAndDestroy()],
  ["after its greeting", (socket) => void socket.write(greeting("2.12.0"), () => socket.resetAndDestroy())],
  ["while it refuses our login", (socket) => {
    socket.write(greeting("2.12.0"));
    socket.once(
      "data",
      () => socket.write("-ERR 'Authorization Violation'\r\n", () => socket.resetAndDestroy()),
    );
  }],
  ["after the handshake", (socket) => {
    socket.write(greeting("2.12.0"));
    socket.once("data", () => socket.write("PONG\r\n", () => socket.resetAndDestroy()));
  }],
  [
    "after saying something else",
    (socket) => void socket.write("HTTP/1.1 400\r\n", () => socket.resetAndDestroy()),
  ],
];
for (const [moment, serve] of resets) {
  Deno.test(`NATS: a server that resets the connection ${moment} is tried again, and nothing is thrown`, async () => {
    const port = freePort();
    let attempts = 0;
    await using _server = await listen(port, (socket) => {
      attempts++;
      serve(socket);
    });
    await using opened = await openNats({ url: `nats://127.0.0.1:${port}` });
    await waitFor(() => attempts >= 4, { what: "the fourth attempt" });
    await opened.status("not connected", ({ connected, problem }) => !connected && problem !== undefined);
  });
}

Deno.test("NATS: a server that is too old is refused at the start with one clear line", async () => {
  const port = freePort();
  await using _server = await pretendServer("2.9.25", port);
  const error = await openNats({ url: `nats://127.0.0.1:${port}` }).catch((error) => error);
  expect(error).toBeInstanceOf(ConfigurationError);
  expect(error.lines).toEqual([
    `Cannot use "nats://127.0.0.1:${port}": its NATS server is version 2.9.25; 2.10 or later is needed, upgrade it`,
  ]);
});

testWithNats("NATS: a server that is too old later on is a problem", async () => {
  const server = await startNatsServer();
  await using opened = await openNats({ url: server.url });
  await server[Symbol.asyncDispose]();
  await using _old = await pretendServer("1.4.1", server.port);
  const { connected } = await opened.status("refusing", ({ problem }) => problem?.includes("1.4.1") ?? false);
  expect(connected).toBe(false);
});
