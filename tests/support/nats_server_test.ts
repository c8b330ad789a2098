import { connect, type NatsConnection } from "@nats-io/transport-node";
import { jetstream, jetstreamManager } from "@nats-io/jetstream";
import { expect } from "expect";
import { startNatsServer } from "./nats_server.ts";
import { testWithNats } from "./test_with.ts";
import { waitFor } from "./wait_for.ts";

async function connected<Result>(
  url: string,
  use: (connection: NatsConnection) => Promise<Result>,
): Promise<Result> {
  const connection = await connect({ servers: url, reconnect: false });
  try {
    return await use(connection);
  } finally {
    await connection.close();
  }
}

function storedMessages(url: string): Promise<number> {
  return connected(url, async (connection) => {
    const manager = await jetstreamManager(connection);
    for await (const stream of manager.streams.list()) return stream.state.messages;
    return 0;
  });
}

testWithNats("a NATS server keeps its port and store over stop, kill and restart", async () => {
  await using server = await startNatsServer();
  await connected(server.url, async (connection) => {
    const manager = await jetstreamManager(connection);
    await manager.streams.add({ name: "facts", subjects: ["facts.>"] });
    await jetstream(connection).publish("facts.one", "1");
  });
  const [url, pid] = [server.url, server.pid];
  await server.stop();
  await expect(connect({ servers: url, reconnect: false })).rejects.toThrow();
  await server.restart();
  expect(server.url).toBe(url);
  expect(server.pid).not.toBe(pid);
  expect(await storedMessages(url)).toBe(1);
  await server.kill();
  await server.restart();
  expect(await storedMessages(url)).toBe(1);
  await server.restart({ emptyStore: true });
  expect(await storedMessages(url)).toBe(0);
});

testWithNats("a frozen NATS server answers nothing until it is thawed", async () => {
  await using server = await startNatsServer({ jetstream: false });
  await connected(server.url, async (connection) => {
    await server.freeze();
    let answered = false;
    const answer = connection.flush().then(() => answered = true);
    await expect(waitFor(() => answered, { what: "an answer", timeoutMs: 200 })).rejects.toThrow();
    server.thaw();
    expect(await answer).toBe(true);
  });
});

testWithNats("configuration of a test is added to the generated one", async () => {
  await using server = await startNatsServer({ config: `authorization { token: "t" }\nmax_payload: 2KB` });
  const variables = await (await fetch(`${server.monitoringUrl}/varz`)).json();
  expect(variables).toMatchObject({ auth_required: true, max_payload: 2048 });
  const connection = await connect({ servers: server.url, token: "t" });
  await connection.close();
});

testWithNats("a NATS server that cannot start says why", async () => {
  await expect(startNatsServer({ config: "no_such_setting: 1" })).rejects.toThrow(/no_such_setting/);
});
