import { expect } from "expect";
import { openTestFetch, outcomeOf, serveHttp } from "../../tests/support/outgoing_server.ts";
import { withContext } from "../context.ts";

Deno.test("a request and its answer, as the web's fetch has them", async () => {
  await using server = await serveHttp((request, response) => {
    response.setHeader("ETag", '"a b"');
    response.setHeader("Set-Cookie", ["a=1", "b=2"]);
    response.statusCode = 201;
    let body = "";
    request.on("data", (chunk) => body += chunk);
    request.on("end", () => response.end(JSON.stringify({ method: request.method, url: request.url, body })));
  });
  await using fetch = openTestFetch({ allow: [`127.0.0.1:${server.port}`] });
  const response = await fetch(`${server.url}/a/b?c=d#e`, {
    method: "POST",
    body: new URLSearchParams({ x: "ä" }),
    headers: { "X-One": "1" },
  });
  expect(response.status).toBe(201);
  expect(response.url).toBe(`${server.url}/a/b?c=d`);
  expect(response.redirected).toBe(false);
  expect(response.headers.get("etag")).toBe('"a b"');
  expect(response.headers.getSetCookie()).toEqual(["a=1", "b=2"]);
  expect(await response.json()).toEqual({ method: "POST", url: "/a/b?c=d", body: "x=%C3%A4" });
  expect(server.requests[0]!.headers).toEqual({
    host: `127.0.0.1:${server.port}`,
    connection: "close",
    "content-length": "8",
    "content-type": "application/x-www-form-urlencoded;charset=UTF-8",
    accept: "*/*",
    "accept-encoding": "gzip, deflate, br, zstd",
    "user-agent": "CommandCenter/1.2.3",
    "x-one": "1",
  });
});

Deno.test("our ids stay with us unless the call asks for them to be sent", async () => {
  await using server = await serveHttp((_, response) => response.end());
  await using fetch = openTestFetch({ allow: ["127.0.0.1"], contact: "mailto:ops@hub.example" });
  const traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
  await withContext({ correlationId: "one", traceparent }, async () => {
    expect(await outcomeOf(fetch(server.url))).toBe("ok");
    expect(await outcomeOf(fetch(server.url, { correlate: true, headers: { "user-agent": "mine" } }))).toBe(
      "ok",
    );
  });
  expect(await outcomeOf(fetch(server.url, { correlate: true }))).toBe("ok");
  expect(server.requests.map(({ headers }) => [headers["x-correlation-id"], headers.traceparent])).toEqual([
    [undefined, undefined],
    ["one", traceparent],
    [undefined, undefined],
  ]);
  expect(server.requests[0]!.headers["user-agent"]).toBe("CommandCenter/1.2.3 (+mailto:ops@hub.example)");
  expect(server.requests[1]!.headers["user-agent"]).toBe("mine");
});

Deno.test("a conditional request: what is sent is what was received, and 304 costs no body", async () => {
  const etag = 'W/"odd, one"';
  const lastModified = "Thu, 01 Jan 1970 00:00:00 GMT+weird";
  await using server = await serveHttp((request, response) => {
    const known = request.headers["if-none-match"] === etag &&
      request.headers["if-modified-since"] === lastModified;
    response.writeHead(known ? 304 : 200, { etag, "last-modified": lastModified }).end(known ? "" : "feed");
  });
  await using fetch = openTestFetch({ allow: ["127.0.0.1"] });
  const first = await fetch(server.url);
  expect(await first.text()).toBe("feed");
  const again = await fetch(server.url, {
    headers: {
      "if-none-match": first.headers.get("etag")!,
      "if-modified-since": first.headers.get("last-modified")!,
    },
  });
  expect([again.status, again.body]).toEqual([304, null]);
});

Deno.test("bodies of every kind are sent whole and counted", async () => {
  await using server = await serveHttp((request, response) => request.pipe(response));
  await using fetch = openTestFetch({ allow: ["127.0.0.1"] });
  const stream = () => new Blob(["streamed"]).stream();
  const bodies: BodyInit[] = ["text", new TextEncoder().encode("bytes"), new Blob(["blob"]), stream()];
  const answers: string[] = [];
  for (const body of bodies) {
    answers.push(
      await (await fetch(server.url, { method: "POST", body, duplex: "half" } as RequestInit)).text(),
    );
  }
  expect(answers).toEqual(["text", "bytes", "blob", "streamed"]);
  expect(server.requests.map(({ headers }) => headers["content-length"])).toEqual(["4", "5", "4", "8"]);
  const request = new Request(server.url, { method: "PUT", body: "request", headers: { "x-one": "1" } });
  expect(await (await fetch(request)).text()).toBe("request");
  expect(server.requests.at(-1)!.headers["x-one"]).toBe("1");
});

Deno.test("what became of each call is told to the observer", async () => {
  await using server = await serveHttp((request, response) =>
    response.writeHead(Number(request.url!.slice(1))).end("12345")
  );
  const outcomes: string[] = [];
  let received = 0;
  await using fetch = openTestFetch({ allow: ["127.0.0.1"], retries: 0 }, {
    observer: {
      observeFetch: ({ outcome, seconds }) => void outcomes.push(seconds >= 0 ? outcome : "negative"),
      bodyReceived: (sizeBytes) => void (received += sizeBytes),
    },
  });
  await outcomeOf(fetch(`${server.url}/200`));
  await outcomeOf(fetch(`${server.url}/404`));
  await outcomeOf(fetch("http://10.0.0.1/"));
  await outcomeOf(fetch(server.url, { signal: AbortSignal.abort() }));
  expect(outcomes).toEqual(["2xx", "4xx", "blocked_address", "aborted"]);
  expect(received).toBe(10);
});
