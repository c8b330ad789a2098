import { expect } from "expect";
import { Buffer } from "node:buffer";
import type { Socket } from "node:net";
import { brotliCompressSync, deflateSync, gzipSync, zstdCompressSync } from "node:zlib";
import { openTestFetch, outcomeOf, serveHttp, serveRaw } from "../../tests/support/outgoing_server.ts";

const settings = {
  allow: ["127.0.0.1"],
  idle_timeout: "150ms",
  timeout: "600ms",
  max_body: "100kb",
  max_header: "8kb",
  retries: 0,
};

/** Says `text` every few milliseconds until nobody listens. */
function repeat(socket: Socket, text: string, { first = "", everyMs = 1 } = {}): void {
  socket.write(first);
  const timer = setInterval(() => socket.write(text), everyMs);
  socket.on("close", () => clearInterval(timer));
}

const ok = "HTTP/1.1 200 OK\r\n";
const tenMegabytes = Buffer.alloc(10 * 1024 * 1024);
const packed = (encoding: string, body: Uint8Array) => (socket: Socket) => {
  socket.write(`${ok}content-encoding: ${encoding}\r\ncontent-length: ${body.length}\r\n\r\n`);
  socket.write(body);
};

interface Attack {
  readonly talk: (socket: Socket) => void;
  readonly outcome: string;
  /** Part of the message, where several limits could have ended it. */
  readonly says?: string;
  /** The answer itself comes; what is wrong shows when its body is read. */
  readonly inBody?: boolean;
}

const attacks: Readonly<Record<string, Attack>> = {
  "accepts and says nothing": { talk: () => {}, outcome: "timeout", says: "(fetch.idle_timeout)" },
  "drips its header": {
    talk: (socket) => repeat(socket, "x: y\r\n", { first: ok, everyMs: 20 }),
    outcome: "timeout",
  },
  "drips its first line": { talk: (socket) => repeat(socket, "H", { everyMs: 20 }), outcome: "bad_response" },
  "sends interim answers without end": {
    talk: (socket) => repeat(socket, "HTTP/1.1 102 Processing\r\n\r\n"),
    outcome: "timeout",
  },
  "stops in its body": {
    talk: (socket) => socket.write(`${ok}content-length: 10\r\n\r\nabc`),
    outcome: "timeout",
    says: "(fetch.idle_timeout)",
    inBody: true,
  },
  "drips its body": {
    talk: (socket) => repeat(socket, "x", { first: `${ok}\r\n`, everyMs: 20 }),
    outcome: "timeout",
    says: "fetch.timeout and timeoutMs",
    inBody: true,
  },
  "a body without end": {
    talk: (socket) => repeat(socket, "x".repeat(10_000), { first: `${ok}\r\n` }),
    outcome: "too_large",
    inBody: true,
  },
  "chunks without end": {
    talk: (socket) =>
      repeat(socket, `400\r\n${"x".repeat(1024)}\r\n`, { first: `${ok}transfer-encoding: chunked\r\n\r\n` }),
    outcome: "too_large",
    inBody: true,
  },
  "chunk extensions without end": {
    talk: (socket) =>
      repeat(socket, "x".repeat(1024), { first: `${ok}transfer-encoding: chunked\r\n\r\n1;` }),
    outcome: "timeout",
    inBody: true,
  },
  "announces too much": {
    talk: (socket) => socket.write(`${ok}content-length: 102401\r\n\r\nabc`),
    outcome: "too_large",
    inBody: true,
  },
  "one huge header": {
    talk: (socket) => socket.write(`${ok}x: ${"y".repeat(9000)}\r\n\r\n`),
    outcome: "too_large",
  },
  "headers without end": {
    talk: (socket) => repeat(socket, "x: y\r\n".repeat(100), { first: ok }),
    outcome: "too_large",
  },
  "ends before its length": {
    talk: (socket) => socket.end(`${ok}content-length: 10\r\n\r\nabc`),
    outcome: "connection",
    inBody: true,
  },
  "ends within a chunk": {
    talk: (socket) => socket.end(`${ok}transfer-encoding: chunked\r\n\r\n5\r\nabc`),
    outcome: "connection",
    inBody: true,
  },
  "ends before the last chunk": {
    talk: (socket) => socket.end(`${ok}transfer-encoding: chunked\r\n\r\n3\r\nabc\r\n`),
    outcome: "connection",
    inBody: true,
  },
  "hangs up": { talk: (socket) => socket.destroy(), outcome: "connection" },
  "hangs up in the header": { talk: (socket) => socket.end(`${ok}x: `), outcome: "connection" },
  "two lengths": {
    talk: (socket) => socket.write(`${ok}content-length: 3\r\ncontent-length: 5\r\n\r\nabcde`),
    outcome: "bad_response",
  },
  "a length that is none": {
    talk: (socket) => socket.write(`${ok}content-length: -1\r\n\r\nabc`),
    outcome: "bad_response",
  },
  "length and chunks": {
    talk: (socket) => socket.write(`${ok}content-length: 3\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n`),
    outcome: "bad_response",
  },
  "no HTTP": { talk: (socket) => socket.write("220 mail.example ESMTP\r\n"), outcome: "bad_response" },
  "HTTP/2": { talk: (socket) => socket.write("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), outcome: "bad_response" },
  "an upgrade": {
    talk: (socket) =>
      socket.write("HTTP/1.1 101 Switching\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n"),
    outcome: "bad_response",
  },
  "a status beyond all": {
    talk: (socket) => socket.write("HTTP/1.1 999 Odd\r\ncontent-length: 0\r\n\r\n"),
    outcome: "bad_response",
  },
  "a gzip bomb": { talk: packed("gzip", gzipSync(tenMegabytes)), outcome: "too_large", inBody: true },
  "a brotli bomb": {
    talk: packed("br", brotliCompressSync(tenMegabytes)),
    outcome: "too_large",
    inBody: true,
  },
  "a zstd bomb": { talk: packed("zstd", zstdCompressSync(tenMegabytes)), outcome: "too_large", inBody: true },
  "a deflate bomb": {
    talk: packed("deflate", deflateSync(tenMegabytes)),
    outcome: "too_large",
    inBody: true,
  },
  "a bomb within a bomb": {
    talk: packed("gzip, gzip", gzipSync(gzipSync(tenMegabytes))),
    outcome: "too_large",
    inBody: true,
  },
  "packed three times": {
    talk: packed("gzip, gzip, gzip", gzipSync(gzipSync(gzipSync("x")))),
    outcome: "bad_response",
  },
  "packed unknown": { talk: packed("lzma", gzipSync("x")), outcome: "bad_response" },
  "packed by a property": { talk: packed("constructor", gzipSync("x")), outcome: "bad_response" },
  "no gzip at all": { talk: packed("gzip", Buffer.from("plain")), outcome: "bad_response", inBody: true },
  "gzip cut off": {
    talk: packed("gzip", gzipSync("x".repeat(100)).subarray(0, 15)),
    outcome: "bad_response",
    inBody: true,
  },
};

for (const [title, { talk, outcome, says = "", inBody = false }] of Object.entries(attacks)) {
  Deno.test(`a server that ${title}: ${outcome}${inBody ? " while reading" : ""}`, async () => {
    await using server = await serveRaw(talk);
    await using fetch = openTestFetch(settings);
    const call = fetch(server.url);
    if (inBody) expect((await call).status).toBe(200);
    const error = await (inBody ? (await call).bytes() : call).then(() => ({}), (error) => error);
    expect(error).toMatchObject({ code: outcome, message: expect.stringContaining(says) });
    await using again = await serveHttp((_, response) => response.end("fine"));
    expect(await outcomeOf(fetch(again.url))).toBe("ok");
  });
}
