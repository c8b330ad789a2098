import { expect } from "expect";
import { type Follower, followEvents } from "../support/follow_events.ts";
import { publishEvents } from "../support/publish_events.ts";
import { type Agent, startAgent } from "../support/run_agent.ts";
import { expectGapless, expectKept, storedEvents } from "../support/stored_events.ts";
import { waitFor, within } from "../support/wait_for.ts";

/** One open WebSocket: what it was told, and how it ended. */
interface OpenSocket {
  readonly sequences: readonly number[];
  readonly closed: Promise<CloseEvent>;
}

/** Follows over a WebSocket, from the beginning, with a one-time ticket as a browser would. */
async function openSocket(agent: Agent): Promise<OpenSocket> {
  const { ticket } = await (await agent.fetch("/api/events/tickets", { method: "POST" })).json();
  const address = `${agent.url.replace("http", "ws")}/api/events/stream?after_seq=0&ticket=${ticket}`;
  const socket = new WebSocket(address);
  const sequences: number[] = [];
  socket.onmessage = ({ data }) => void sequences.push(JSON.parse(data).seq);
  const closed = new Promise<CloseEvent>((resolve) => socket.onclose = resolve);
  await waitFor(() => socket.readyState === WebSocket.OPEN, { what: "the WebSocket to open" });
  return { sequences, closed };
}

/** Requests whose bodies never come to an end: the agent has them in hand for as long as it likes. */
async function slowRequest(agent: Agent): Promise<Deno.TcpConn> {
  const { hostname, port } = new URL(agent.url);
  const connection = await Deno.connect({ hostname, port: Number(port) });
  await connection.write(new TextEncoder().encode(
    `POST /api/events HTTP/1.1\r\nhost: ${hostname}:${port}\r\nauthorization: Bearer ${agent.adminKey}\r\n` +
      "content-type: application/json\r\ncontent-length: 1000\r\n\r\n{",
  ));
  return connection;
}

for (const signal of ["SIGTERM", "SIGINT"] as const) {
  Deno.test(`${signal} ends an agent in order with 50 open streams, slow requests and publishers`, async () => {
    await using agent = await startAgent({ config: { plugins: { "event-store": {} } } });
    await using stack = new AsyncDisposableStack();
    const followers: Follower[] = [];
    for (let n = 0; n < 25; n++) followers.push(stack.use(await followEvents(agent)));
    const sockets = await Promise.all(Array.from({ length: 25 }, () => openSocket(agent)));
    for (let n = 0; n < 5; n++) stack.use(await slowRequest(agent));
    const publishers = stack.use(publishEvents(agent));
    await publishers.progress(200);

    const toldAt = performance.now();
    Deno.kill(agent.pid, signal);
    expect(await within(agent.exited(), { what: "the agent to end", timeoutMs: 15_000 })).toBe(0);
    expect(performance.now() - toldAt).toBeLessThan(10_000);
    expect(agent.output()).toContain('"message":"stopped"');
    for (const { closed } of sockets) {
      const { code } = await within(closed, { what: "the WebSocket to close", timeoutMs: 1000 });
      expect([1001, 4503]).toContain(code);
    }
    for (const { sequences } of [...followers, ...sockets]) expectGapless(sequences);
    for (const follower of followers) {
      await waitFor(() => follower.ended, { what: "the stream to end" });
      expect(follower.problems).toEqual([]);
    }

    await agent.restart();
    await publishers.finish();
    expectKept(await storedEvents(agent), publishers.acknowledged);
    expect(await agent.stop()).toBe(0);
  });
}
