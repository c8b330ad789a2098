import { createRoute } from "@hono/zod-openapi";
import { expect } from "expect";
import { currentContext } from "../context.ts";
import { waitFor } from "../../tests/support/wait_for.ts";
import { type Socket, type SocketHandlers, upgradeWebSocket } from "./serve.ts";
import { TestServer } from "../../tests/support/http_test_server.ts";

function startWithSocket(handlers: SocketHandlers): Promise<TestServer> {
  return TestServer.start({
    routes: (app) =>
      app.openapi(
        createRoute({
          method: "get",
          path: "/api/test/socket",
          security: [{ key: ["read"] }, { ticket: [] }],
          responses: { 101: { description: "" } },
        }),
        (c) => upgradeWebSocket(c, handlers),
      ),
  });
}

/** Connects as a browser does: with a ticket, since it cannot set headers. */
async function connect(
  server: TestServer,
): Promise<{ socket: WebSocket; messages: string[]; closed: Promise<CloseEvent> }> {
  const principal = {
    keyId: server.adminKey.split("_")[1]!,
    name: "admin",
    scopes: ["admin" as const],
    projects: null,
  };
  const { ticket } = server.http.tickets.issue(principal);
  const socket = new WebSocket(`${server.url.replace("http", "ws")}/api/test/socket?ticket=${ticket}`);
  const messages: string[] = [];
  socket.onmessage = ({ data }) => messages.push(data);
  const closed = new Promise<CloseEvent>((resolve) => socket.onclose = resolve);
  await new Promise<unknown>((resolve) => {
    socket.onopen = resolve;
    socket.onerror = resolve;
  });
  return { socket, messages, closed };
}

Deno.test("a WebSocket talks both ways, in the context of its request", async () => {
  const ends: number[] = [];
  await using server = await startWithSocket({
    onOpen: (socket) => socket.send(`hello ${currentContext()?.principal?.name}`),
    onMessage: (data, socket) => {
      socket.send(
        `${data} ${currentContext()?.principal?.name} ${socket.bufferedAmount >= 0} ${socket.readyState}`,
      );
      socket.close(4000, "enough");
    },
    onClose: ({ code }) => ends.push(code),
  });
  const { socket, messages, closed } = await connect(server);
  socket.send("ping");
  const { code, reason } = await closed;
  expect([code, reason]).toEqual([4000, "enough"]);
  expect(messages).toEqual(["hello admin", "ping admin true 1"]);
  await waitFor(() => ends.length === 1, { what: "the server to see the end" });
});

Deno.test("a WebSocket needs a key or ticket, an upgrade, and a page of ours", async () => {
  await using server = await startWithSocket({});
  expect((await server.json("/api/test/socket", { key: null })).status).toBe(401);
  const plain = await server.json("/api/test/socket");
  expect([plain.status, plain.body.code, plain.headers.get("upgrade")]).toEqual([
    426,
    "upgrade_required",
    "websocket",
  ]);
  const foreign = await server.raw(
    `GET /api/test/socket HTTP/1.1\r\nHost: localhost\r\nOrigin: https://evil.example.org\r\nUpgrade: websocket\r\n` +
      `Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n` +
      `Authorization: Bearer ${server.adminKey}\r\n\r\n`,
  );
  expect(foreign).toMatch(/^HTTP\/1\.1 403 /);
});

Deno.test("a handler that throws or rejects ends its own connection only, and is logged", async () => {
  let kept: Socket | undefined;
  await using server = await startWithSocket({
    onOpen: (socket) => kept ??= socket,
    onMessage: (data) => {
      if (data === "throw") throw new Error("hunter2");
      return Promise.reject(new Error("hunter2"));
    },
  });
  const first = await connect(server);
  for (const word of ["throw", "reject"]) {
    const { socket, closed } = await connect(server);
    socket.send(word);
    expect((await closed).code).toBe(1011);
  }
  kept!.send("still here");
  await waitFor(() => first.messages.length === 1, { what: "the first connection to get its text" });
  const logged = server.lines.filter(({ message }) => message === "a WebSocket handler failed");
  expect(logged.length).toBe(2);
  first.socket.close();
  await first.closed;
});

Deno.test("closing the server says goodbye to its WebSockets", async () => {
  await using server = await startWithSocket({});
  const { closed } = await connect(server);
  await server.http.close();
  expect((await closed).code).toBe(1001);
});

Deno.test("too large a message ends the connection", async () => {
  let got = 0;
  await using server = await startWithSocket({ onMessage: () => got++ });
  const { socket, closed } = await connect(server);
  socket.send("x".repeat(1024 ** 2 + 1));
  expect([(await closed).code, got]).toEqual([1009, 0]);
});

Deno.test("a port that is taken is said so", async () => {
  await using server = await TestServer.start();
  const port = Number(new URL(server.url).port);
  await expect(TestServer.start({ settings: { port } })).rejects.toThrow("the port is in use");
});
