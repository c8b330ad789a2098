// The other side of the HTTP rows: bare Hono on the agent's own serve(). Its argument is the SQLite file to append to.
import { Hono } from "hono";
import { newId } from "../../core/clock.ts";
import { serve } from "../../core/http/serve.ts";
import { EventTable, makeRows } from "./event_table.ts";

const table = await EventTable.open(Deno.args[0]!);
const app = new Hono();
let seq = 0;

app.get("/health/live", (c) => c.json({ status: "ok" }));

app.post("/api/events", async (c) => {
  const { subject, payload } = await c.req.json();
  const [row] = makeRows(1, { after: seq, nodeId: "bench" });
  const event = { ...row!, subject: `hub.bench.${subject}`, payload: JSON.stringify(payload) };
  table.append([event]);
  seq++;
  const { id, correlation_id, time } = event;
  return c.json({ event_id: id, seq, subject: event.subject, correlation_id, timestamp: time }, 201);
});

const sockets = new Set<WebSocket>();

app.get("/stream", (c) => {
  const { socket, response } = Deno.upgradeWebSocket(c.req.raw);
  socket.onopen = () => sockets.add(socket);
  socket.onclose = () => sockets.delete(socket);
  return response;
});

app.post("/broadcast", async (c) => {
  const text = await c.req.text();
  for (const socket of sockets) if (socket.readyState === WebSocket.OPEN) socket.send(text);
  return c.json({ event_id: newId() }, 201);
});

const { url } = await serve({ host: "127.0.0.1", port: 0, handler: (request) => app.fetch(request) });
await Deno.stdout.write(new TextEncoder().encode(`${url}\n`));
