import { expect } from "expect";
import { createServer } from "node:http";
import { type AddressInfo, connect, type Socket } from "node:net";
import { makeCertificates } from "../../tests/contract/bus_certificates.ts";
import { openTestFetch, outcomeOf, serveHttp, serveRaw } from "../../tests/support/outgoing_server.ts";
import { waitFor } from "../../tests/support/wait_for.ts";

const certificates = makeCertificates();
const here = { resolve: () => Promise.resolve(["127.0.0.1"]) };

Deno.test("a connection is kept for the same host at the same address, and for nobody else", async () => {
  await using server = await serveHttp((_, response) => response.end("x"));
  await using fetch = openTestFetch({ allow: ["127.0.0.0/8"] }, here);
  const ask = async (url: string, init: RequestInit = {}) => {
    await (await fetch(url, init)).text();
    await new Promise((resolve) => setTimeout(resolve, 0)); // the connection is free a turn later
    return server.connections;
  };
  expect(await ask(`http://one.example:${server.port}/`)).toBe(1);
  expect(await ask(`http://one.example:${server.port}/other`)).toBe(1);
  expect(await ask(`http://two.example:${server.port}/`)).toBe(2);
  expect(await ask(`${server.url}/`)).toBe(3);
  expect(await ask(`http://one.example:${server.port}/`, { method: "POST" })).toBe(4); // never over a used one
  expect(await ask(`http://one.example:${server.port}/`)).toBe(4);
});

Deno.test("https: connections are kept for one name, too", async () => {
  await using server = await serveHttp((_, response) => response.end("x"), { tls: certificates.server });
  await using fetch = openTestFetch({ allow: ["127.0.0.1"], ca: certificates.ca });
  for (let count = 0; count < 3; count++) {
    await (await fetch(server.url)).text();
    await new Promise((resolve) => setTimeout(resolve, 0));
  }
  expect(server.connections).toBe(1);
});

Deno.test("a kept connection that the other side has closed is replaced without a word", async () => {
  const answers: Socket[] = [];
  await using server = await serveRaw((socket) => {
    if (answers.includes(socket)) return socket.destroy(); // closes at the second request
    answers.push(socket);
    socket.write("HTTP/1.1 200 OK\r\ncontent-length: 1\r\n\r\nx");
  });
  await using fetch = openTestFetch({ allow: ["127.0.0.1"], retries: 0 });
  for (let count = 0; count < 3; count++) {
    expect(await (await fetch(server.url)).text()).toBe("x");
    await new Promise((resolve) => setTimeout(resolve, 0));
  }
  expect(answers.length).toBe(server.connections);
  expect(server.connections).toBeGreaterThanOrEqual(2);
});

Deno.test("an answer that nobody asked for ends the connection instead of being taken for the next one", async () => {
  const answer = (text: string) => `HTTP/1.1 200 OK\r\ncontent-length: ${text.length}\r\n\r\n${text}`;
  let closed = 0;
  await using server = await serveRaw((socket, heard) => {
    const path = /GET (\S+)/.exec(heard)![1]!;
    socket.once("close", () => closed++);
    socket.write(answer(path) + (path === "/at-once" ? answer("poison") : ""));
    if (path === "/later") setTimeout(() => socket.write(answer("poison")), 20);
  });
  for (const path of ["/at-once", "/later"]) {
    await using fetch = openTestFetch({ allow: ["127.0.0.1"] });
    closed = 0;
    await outcomeOf(fetch(`${server.url}${path}`));
    await waitFor(() => closed === 1, { what: "the connection to be closed", timeoutMs: 2000 });
    expect(await (await fetch(`${server.url}/next`)).text()).toBe("/next");
  }
});

/** Whom a certificate is for counts, whatever the address. */
const handshakes: Readonly<Record<string, { host: string; trusted: boolean; outcome: string }>> = {
  "its name": { host: "localhost", trusted: true, outcome: "ok" },
  "its address": { host: "127.0.0.1", trusted: true, outcome: "ok" },
  "an unknown authority": { host: "localhost", trusted: false, outcome: "tls" },
  "another name": { host: "other.example", trusted: true, outcome: "tls" },
  "another address": { host: "127.0.0.2", trusted: true, outcome: "tls" },
};

for (const [title, { host, trusted, outcome }] of Object.entries(handshakes)) {
  Deno.test(`certificate for ${title}: ${outcome}`, async () => {
    await using server = await serveHttp((_, response) => response.end("x"), {
      tls: certificates.server,
      host: "0.0.0.0",
    });
    const allow = [host];
    await using fetch = openTestFetch(
      { allow, retries: 0, ...(trusted ? { ca: certificates.ca } : {}) },
      here,
    );
    expect(await outcomeOf(fetch(`https://${host}:${server.port}/`))).toBe(outcome);
    expect(server.requests).toHaveLength(outcome === "ok" ? 1 : 0);
  });
}

Deno.test("certificates are checked even where the environment says otherwise", async () => {
  const name = "NODE_TLS_REJECT_UNAUTHORIZED";
  const before = Deno.env.get(name);
  Deno.env.set(name, "0");
  try {
    await using server = await serveHttp((_, response) => response.end("x"), { tls: certificates.server });
    await using fetch = openTestFetch({ allow: ["127.0.0.1"], retries: 0 });
    expect(await outcomeOf(fetch(server.url))).toBe("tls");
  } finally {
    if (before === undefined) Deno.env.delete(name);
    else Deno.env.set(name, before);
  }
});

Deno.test("https to a server that speaks plain HTTP, and the other way round", async () => {
  await using plain = await serveHttp((_, response) => response.end("x"));
  await using secure = await serveHttp((_, response) => response.end("x"), { tls: certificates.server });
  await using fetch = openTestFetch({ allow: ["127.0.0.1"], retries: 0, ca: certificates.ca });
  expect(await outcomeOf(fetch(`https://127.0.0.1:${plain.port}/`))).toBe("tls");
  expect(["connection", "bad_response", "ok"]).toContain(
    await outcomeOf(fetch(`http://127.0.0.1:${secure.port}/`)),
  );
});

/** A forward proxy on 127.0.0.1 that sends everything to one port, and remembers what it was asked for. */
async function serveProxy(target: number): Promise<AsyncDisposable & { url: string; asked: string[] }> {
  const asked: string[] = [];
  const open = new Set<Socket>();
  const proxy = createServer((request, response) => {
    asked.push(`${request.url} ${request.headers.host} ${request.headers["proxy-authorization"] ?? "-"}`);
    response.end("by proxy");
  });
  proxy.on("connect", (request, client: Socket) => {
    asked.push(`CONNECT ${request.url} ${request.headers["proxy-authorization"] ?? "-"}`);
    if (target === 0) return client.end("HTTP/1.1 403 Forbidden\r\ncontent-length: 0\r\n\r\n");
    const upstream = connect(target, "127.0.0.1", () => client.write("HTTP/1.1 200 OK\r\n\r\n"));
    for (const socket of [upstream, client]) open.add(socket.on("error", () => {}));
    upstream.pipe(client).pipe(upstream);
  });
  await new Promise<void>((resolve) => proxy.listen(0, "127.0.0.1", resolve));
  return {
    url: `http://127.0.0.1:${(proxy.address() as AddressInfo).port}`,
    asked,
    [Symbol.asyncDispose]: () =>
      new Promise<void>((resolve) => {
        proxy.close(() => resolve());
        proxy.closeAllConnections();
        for (const socket of open) socket.destroy();
      }),
  };
}

const nobody = { resolve: (name: string) => Promise.reject(new Error(`"${name}" was looked up`)) };

Deno.test("a proxy gets http as whole URLs and https as a tunnel; its password stays with it", async () => {
  await using server = await serveHttp((_, response) => response.end("by tunnel"), {
    tls: certificates.server,
  });
  await using proxy = await serveProxy(server.port);
  await using fetch = openTestFetch({
    proxy: { url: proxy.url, user: "me", password: "hunter2" },
    ca: certificates.ca,
    allow: ["localhost:1"], // makes no exception of another port
  }, nobody);
  expect(await (await fetch("http://public.example/a?b#c")).text()).toBe("by proxy");
  expect(await outcomeOf(fetch("https://public.example/x"))).toBe("tls"); // the certificate is for another
  const credentials = `Basic ${btoa("me:hunter2")}`;
  expect(proxy.asked).toEqual([
    `http://public.example/a?b public.example ${credentials}`,
    `CONNECT public.example:443 ${credentials}`,
  ]);
  expect(server.requests).toHaveLength(0);
});

Deno.test("through the tunnel it is the server itself that answers, over one connection; exceptions go past it", async () => {
  const { ca, server: tls } = makeCertificates({ hostname: "public.example" });
  await using server = await serveHttp((request, response) => response.end(request.headers.host), { tls });
  await using proxy = await serveProxy(server.port);
  const settings = { proxy: { url: proxy.url, user: "me", password: "hunter2" }, ca };
  await using fetch = openTestFetch(settings, nobody);
  for (let count = 0; count < 2; count++) {
    expect(await (await fetch("https://public.example/x")).text()).toBe("public.example");
    await new Promise((resolve) => setTimeout(resolve, 0));
  }
  expect(proxy.asked).toHaveLength(1);
  expect(server.requests[0]!.headers["proxy-authorization"]).toBeUndefined();
  await using direct = openTestFetch({ ...settings, allow: ["public.example"] }, here);
  expect(await outcomeOf(direct(`https://public.example:${server.port}/`))).toBe("ok");
  expect(proxy.asked).toHaveLength(1);
});

Deno.test("a proxy is not asked for addresses and names that are internal", async () => {
  await using proxy = await serveProxy(0);
  await using fetch = openTestFetch({ proxy: { url: proxy.url }, retries: 0 }, nobody);
  const internal =
    "127.0.0.1 [::1] 10.0.0.1 2130706433 169.254.169.254 localhost db metadata.google.internal a.local " +
    "nas.lan a.home.arpa x.internal [64:ff9b::a00:1]";
  for (const host of internal.split(" ")) {
    for (const scheme of ["http", "https"]) {
      expect([host, await outcomeOf(fetch(`${scheme}://${host}/`))]).toEqual([host, "blocked_address"]);
    }
  }
  expect(proxy.asked).toEqual([]);
  expect(await outcomeOf(fetch("https://public.example/"))).toBe("connection");
  expect(proxy.asked).toEqual(["CONNECT public.example:443 -"]);
  await using gone = openTestFetch({ proxy: { url: "http://127.0.0.1:1" }, retries: 0 }, nobody);
  const error = await gone("http://public.example/").catch((error) => error);
  expect(error.message).toContain("the proxy does not answer (ECONNREFUSED)");
});

Deno.test("closing leaves no connection behind", async () => {
  let open = 0;
  await using server = await serveHttp((request, response) => {
    open++;
    request.socket.on("close", () => open--);
    response.end("x");
  });
  await using fetch = openTestFetch({ allow: ["127.0.0.1"] });
  await (await fetch(server.url)).text();
  await new Promise((resolve) => setTimeout(resolve, 0));
  expect(open).toBe(1);
  fetch.close();
  await waitFor(() => open === 0, { what: "the connection to be closed", timeoutMs: 2000 });
  expect(await outcomeOf(fetch(server.url))).toBe("stopping");
});
