import { expect } from "expect";
import { Buffer } from "node:buffer";
import { getEventListeners } from "node:events";
import type { Socket } from "node:net";
import { brotliCompressSync, deflateRawSync, deflateSync, gzipSync, zstdCompressSync } from "node:zlib";
import { openTestFetch, outcomeOf, serveHttp, serveRaw } from "../../tests/support/outgoing_server.ts";
import { waitFor } from "../../tests/support/wait_for.ts";

const settings = {
  allow: ["127.0.0.1"],
  idle_timeout: "150ms",
  timeout: "600ms",
  max_body: "100kb",
  retries: 0,
};

/** Begins an answer that goes on until nobody listens. */
function tick(socket: Socket): void {
  socket.write("HTTP/1.1 200 OK\r\n\r\n");
  const timer = setInterval(() => socket.write("tick\n"), 5);
  socket.on("close", () => clearInterval(timer));
}

Deno.test("packed bodies come out as they went in, and no longer say that they are packed", async () => {
  const text = "ä€😀".repeat(2000);
  const forms: Readonly<Record<string, Uint8Array>> = {
    gzip: gzipSync(text),
    "x-gzip": gzipSync(text),
    deflate: deflateSync(text),
    "Deflate ": deflateRawSync(text),
    br: brotliCompressSync(text),
    zstd: zstdCompressSync(text),
    "identity, gzip, br": brotliCompressSync(gzipSync(text)),
    identity: Buffer.from(text),
  };
  await using server = await serveHttp((request, response) => {
    const name = decodeURIComponent(request.url!.slice(1));
    const body = forms[name]!;
    response.writeHead(200, { "content-encoding": name, "content-length": body.length }).end(body);
  });
  await using fetch = openTestFetch(settings);
  for (const name of Object.keys(forms)) {
    const response = await fetch(`${server.url}/${encodeURIComponent(name)}`);
    expect([name, await response.text() === text]).toEqual([name, true]);
    if (name !== "identity") expect(response.headers.get("content-encoding")).toBeNull();
    const head = await fetch(`${server.url}/${encodeURIComponent(name)}`, { method: "HEAD" });
    expect([head.body, head.headers.get("content-encoding")]).toEqual([null, name.trim()]);
  }
});

Deno.test("answers without a body: 204, 304 with its ETag, and a length of nothing", async () => {
  await using server = await serveHttp((request, response) => {
    const status = Number(request.url!.slice(1));
    response.writeHead(status, { etag: '"x"', ...(status === 200 ? { "content-encoding": "gzip" } : {}) })
      .end();
  });
  await using fetch = openTestFetch(settings);
  for (const status of [204, 205, 304]) {
    const response = await fetch(`${server.url}/${status}`);
    expect([response.status, response.body, response.headers.get("etag")]).toEqual([status, null, '"x"']);
  }
  expect(await (await fetch(`${server.url}/200`)).text()).toBe("");
});

Deno.test("a call narrows the limits, and never widens them", async () => {
  await using server = await serveHttp((_, response) => response.end("x".repeat(1000)));
  await using fetch = openTestFetch({ ...settings, max_body: "1kb" });
  expect(await outcomeOf(fetch(server.url, { maxBodyBytes: 999 }))).toBe("too_large");
  expect(await outcomeOf(fetch(server.url, { maxBodyBytes: 1000 }))).toBe("ok");
  const large = { method: "POST", body: "x".repeat(1025), maxBodyBytes: 1e9 };
  expect(await outcomeOf(fetch(server.url, large))).toBe("too_large");
  await using mute = await serveRaw(() => {});
  const started = performance.now();
  expect(await outcomeOf(fetch(mute.url, { timeoutMs: 30, idleTimeoutMs: 1e9 }))).toBe("timeout");
  expect(performance.now() - started).toBeLessThan(140);
});

Deno.test("no connection within the time for it", async () => {
  // An address that the kernel lets nobody answer from is hard to have; a TLS handshake that never comes is the same.
  await using mute = await serveRaw(() => {});
  await using fetch = openTestFetch({ ...settings, connect_timeout: "50ms", idle_timeout: "10s" });
  const error = await fetch(`https://127.0.0.1:${mute.port}/`).catch((error) => error);
  expect(error).toMatchObject({ code: "timeout", sent: false });
});

Deno.test("an endless body streams for as long as it stays within its limits, and ends when it is cancelled", async () => {
  await using server = await serveRaw(tick);
  await using fetch = openTestFetch(settings);
  const response = await fetch(server.url);
  const reader = response.body!.pipeThrough(new TextDecoderStream()).getReader();
  let text = "";
  while (text.length < 50) text += (await reader.read()).value;
  expect(text).toMatch(/^(tick\n)+/);
  await reader.cancel();
  expect(await outcomeOf(fetch(server.url, { timeoutMs: 60 }))).toBe("timeout");
});

Deno.test("a large body that nobody reads gives its slot back; a small one does at once", async () => {
  await using server = await serveHttp((request, response) =>
    response.end("x".repeat(request.url === "/s" ? 9 : 90_000))
  );
  await using fetch = openTestFetch({ ...settings, per_host: { concurrency: 1 } });
  const small = await fetch(`${server.url}/s`);
  const large = await fetch(`${server.url}/l`);
  expect(await small.text()).toBe("xxxxxxxxx");
  await fetch(`${server.url}/s`);
  await expect(large.text()).rejects.toThrow("Nobody read the answer for 150 ms");
});

Deno.test("a signal ends a call with its own reason: before, while waiting, and while reading", async () => {
  await using mute = await serveRaw(() => {});
  await using endless = await serveRaw(tick);
  await using fetch = openTestFetch({ ...settings, idle_timeout: "10s" });
  const reason = new Error("enough");
  await expect(fetch(mute.url, { signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
  const waiting = new AbortController();
  const call = fetch(mute.url, { signal: waiting.signal });
  await waitFor(() => mute.connections === 1, { what: "the connection" });
  waiting.abort(reason);
  await expect(call).rejects.toBe(reason);
  const reading = new AbortController();
  const response = await fetch(new Request(endless.url, { signal: reading.signal }));
  const text = response.text();
  reading.abort(reason);
  await expect(text).rejects.toBe(reason);
  await expect(fetch(mute.url, { signal: AbortSignal.timeout(20) })).rejects.toMatchObject({
    name: "TimeoutError",
  });
});

Deno.test("what is under way ends with the plugin, and with the agent", async () => {
  await using mute = await serveRaw(() => {});
  const plugin = new AbortController();
  await using fetch = openTestFetch({ ...settings, idle_timeout: "10s" }, { plugin: plugin.signal });
  await using server = await serveHttp((_, response) => response.end("x"));
  expect(await outcomeOf(fetch(server.url))).toBe("ok");
  expect(getEventListeners(plugin.signal, "abort")).toHaveLength(0); // nothing of it stays
  const call = fetch(mute.url);
  plugin.abort(new Error("the plugin stops"));
  await expect(call).rejects.toThrow("the plugin stops");
  await using other = openTestFetch({ ...settings, idle_timeout: "10s" });
  const otherCall = other(mute.url);
  other.close();
  expect(await outcomeOf(otherCall)).toBe("stopping");
  expect(await outcomeOf(other(mute.url))).toBe("stopping");
});

Deno.test("requests that must not be sent", async () => {
  await using server = await serveHttp((_, response) => response.end());
  await using fetch = openTestFetch(settings);
  const reserved = [
    "host",
    "connection",
    "transfer-encoding",
    "upgrade",
    "te",
    "proxy-authorization",
    "expect",
  ];
  const inits: RequestInit[] = [
    { method: "CONNECT" },
    { method: "trace" },
    { method: "GET\r\nX: y" },
    { method: "GET", body: "x" },
    { headers: { x: "a\r\nb: c" } },
    { headers: { x: "a\nb" } },
    { headers: { "x\r\n": "a" } },
    { headers: { x: "a\0b" } },
    { headers: { x: "€" } },
    ...reserved.map((name) => ({ headers: { [name]: "x" } })),
  ];
  for (const init of inits) {
    expect([init, await outcomeOf(fetch(server.url, init))]).toEqual([init, "invalid_request"]);
  }
  expect(await outcomeOf(fetch(`${server.url}/a\r\nX: y`))).toBe("ok"); // the URL standard takes the line break out
  expect(server.requests.map(({ url }) => url)).toEqual(["/aX:%20y"]);
  expect(
    await outcomeOf(fetch(server.url, { method: "POST", body: "abc", headers: { "content-length": "99" } })),
  )
    .toBe("ok");
  expect(server.requests[1]!.headers["content-length"]).toBe("3");
  expect(await outcomeOf(fetch(server.url, { headers: { "content-length": "99" } }))).toBe("ok");
  expect(server.requests[2]!.headers["content-length"]).toBeUndefined();
});
