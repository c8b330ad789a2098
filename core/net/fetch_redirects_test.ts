import { expect } from "expect";
import { Buffer } from "node:buffer";
import type { RequestListener } from "node:http";
import { makeCertificates } from "../../tests/contract/bus_certificates.ts";
import { openTestFetch, outcomeOf, serveHttp } from "../../tests/support/outgoing_server.ts";

const certificates = makeCertificates();

/** Answers `/<status>?<location>` with that redirect, anything else with what was asked. */
const redirecting: RequestListener = (request, response) => {
  const { status, location } = /^\/(?<status>\d{3})\?(?<location>.*)$/.exec(request.url!)?.groups ?? {};
  if (status === undefined) {
    let body = "";
    request.on("data", (chunk) => body += chunk);
    request.on("end", () => {
      const { method, url, headers } = request;
      response.end(JSON.stringify({ method, url, headers, body }));
    });
    return;
  }
  const bytes = Buffer.from(decodeURIComponent(location!)); // as UTF-8, which is how headers hold it
  response.writeHead(Number(status), { location: bytes.toString("latin1") });
  response.end("x".repeat(100_000));
};

const blocked = [
  ..."http://127.0.0.1:1/ //127.0.0.1:1/ http://2130706433/ http://0x7f.1/ http://0177.1/ http://[::1]/"
    .split(" "),
  ..."http://[::ffff:127.0.0.1]/ http://[64:ff9b::a00:1]/ http://169.254.169.254/latest http://localhost/"
    .split(" "),
  ..."http://localhost./ http://metadata.google.internal/ http://10.0.0.1/ http://inside.example/".split(" "),
  ..."https://127.0.0.1/ http://①②⑦.0.0.1/".split(" "),
];

Deno.test("each hop is checked anew: no redirect leads inside", async () => {
  await using server = await serveHttp(redirecting);
  await using fetch = openTestFetch({ allow: ["feed.example"] }, {
    resolve: (name) => Promise.resolve([name === "feed.example" ? "127.0.0.1" : "10.0.0.9"]),
  });
  for (const location of blocked) {
    const url = `http://feed.example:${server.port}/302?${encodeURIComponent(location)}`;
    expect([location, await outcomeOf(fetch(url))]).toEqual([location, "blocked_address"]);
    const two = `http://feed.example:${server.port}/307?${encodeURIComponent(url)}`;
    expect([location, await outcomeOf(fetch(two))]).toEqual([location, "blocked_address"]);
  }
  expect(fetch.warnings).toHaveLength(2 * blocked.length);
  for (const location of ["file:///etc/passwd", "http://user:p@feed.example/", "gopher://x/", "http://["]) {
    const url = `http://feed.example:${server.port}/302?${encodeURIComponent(location)}`;
    expect([location, await outcomeOf(fetch(url))]).toEqual([location, "invalid_url"]);
  }
});

/** Status and method; then what the method becomes and whether the body comes along. */
const rules: readonly (readonly [status: number, method: string, becomes: string, keepsBody: boolean])[] = [
  [301, "POST", "GET", false],
  [302, "POST", "GET", false],
  [303, "POST", "GET", false],
  [303, "PUT", "GET", false],
  [303, "HEAD", "HEAD", false],
  [301, "PUT", "PUT", true],
  [302, "DELETE", "DELETE", false],
  [307, "POST", "POST", true],
  [308, "PUT", "PUT", true],
];

Deno.test("methods and bodies follow the rules of the Fetch standard", async () => {
  await using server = await serveHttp(redirecting);
  await using fetch = openTestFetch({ allow: ["127.0.0.1"] });
  for (const [status, method, becomes, keepsBody] of rules) {
    const hasBody = method === "POST" || method === "PUT";
    const response = await fetch(`${server.url}/${status}?/there%3Fx=1`, {
      method,
      ...(hasBody ? { body: "text", headers: { "content-type": "text/x" } } : {}),
    });
    await response.bytes();
    const { method: sent, url, headers } = server.requests.at(-1)!;
    expect({ status, method, sent, url, type: headers["content-type"], length: headers["content-length"] })
      .toEqual({
        status,
        method,
        sent: becomes,
        url: "/there?x=1",
        type: keepsBody ? "text/x" : undefined,
        length: keepsBody ? "4" : undefined,
      });
  }
});

Deno.test("the answer tells where it came from and what was on the way", async () => {
  await using server = await serveHttp(redirecting);
  await using fetch = openTestFetch({ allow: ["127.0.0.1"] });
  const response = await fetch(`${server.url}/301?/308%3F%2Fend%23there#here`);
  expect(response.redirects).toEqual([
    { status: 301, url: `${server.url}/308?/end` },
    { status: 308, url: `${server.url}/end` },
  ]);
  expect([response.url, response.redirected]).toEqual([`${server.url}/end`, true]);
  await response.body?.cancel();
});

Deno.test("another origin sees no secrets, whatever their name; the same one does", async () => {
  await using server = await serveHttp(redirecting);
  await using other = await serveHttp(redirecting);
  await using fetch = openTestFetch({ allow: ["127.0.0.1"] });
  const headers = {
    authorization: "Bearer a",
    cookie: "b=c",
    "x-api-key": "d",
    "private-token": "e",
    "webhook-signature": "f",
    "idempotency-key": "g",
    "if-none-match": '"h"',
    accept: "text/x",
  };
  const secret = /authorization|cookie|x-api-key|private-token|signature|idempotency/;
  const seen = async (url: string) => {
    const answer = await (await fetch(url, { headers })).json();
    return Object.keys(answer.headers).filter((name) => secret.test(name)).length;
  };
  expect(await seen(`${server.url}/302?/same`)).toBe(6);
  expect(await seen(`${server.url}/302?${other.url}/other`)).toBe(0);
  expect(await seen(`${server.url}/307?http://127.0.0.2:${server.port}/`).catch((error) => error.code)).toBe(
    "blocked_address",
  );
  expect(other.requests[0]!.headers).toMatchObject({ accept: "text/x", "if-none-match": '"h"' });
  const back = encodeURIComponent(`${server.url}/302?${server.url}/home`);
  expect(await seen(`${server.url}/302?${encodeURIComponent(`${other.url}/302?${back}`)}`)).toBe(0);
});

Deno.test("loops end, and so do chains that are too long", async () => {
  await using server = await serveHttp((request, response) => {
    response.writeHead(302, { location: request.url! }).end();
  });
  await using fetch = openTestFetch({ allow: ["127.0.0.1"], max_redirects: 3 });
  expect(await outcomeOf(fetch(server.url))).toBe("too_many_redirects");
  expect(server.requests).toHaveLength(4);
  expect(await outcomeOf(fetch(server.url, { maxRedirects: 1 }))).toBe("too_many_redirects");
  expect(await outcomeOf(fetch(server.url, { maxRedirects: 20 }))).toBe("too_many_redirects");
  expect(server.requests).toHaveLength(4 + 2 + 4);
});

Deno.test("manual and error, as the web has them; a redirect to nowhere is an answer", async () => {
  await using server = await serveHttp(redirecting);
  await using fetch = openTestFetch({ allow: ["127.0.0.1"] });
  const url = `${server.url}/302?http://169.254.169.254/`;
  const manual = await fetch(url, { redirect: "manual" });
  expect([manual.status, manual.headers.get("location")]).toEqual([302, "http://169.254.169.254/"]);
  await manual.body?.cancel();
  expect(await outcomeOf(fetch(url, { redirect: "error" }))).toBe("bad_redirect");
  expect(await outcomeOf(fetch(new Request(url, { redirect: "error" })))).toBe("bad_redirect");
  await using nowhere = await serveHttp((_, response) => response.writeHead(302).end("lost"));
  expect(await (await fetch(nowhere.url)).text()).toBe("lost");
});

Deno.test("https leads to http only where that is allowed", async () => {
  await using plain = await serveHttp(redirecting);
  await using secure = await serveHttp(redirecting, { tls: certificates.server });
  const settings = { allow: ["127.0.0.1"], ca: certificates.ca };
  const url = `${secure.url}/302?${plain.url}/`;
  await using strict = openTestFetch(settings);
  expect(await outcomeOf(strict(url))).toBe("bad_redirect");
  expect(plain.requests).toHaveLength(0);
  await using lax = openTestFetch({ ...settings, allow_downgrade: true });
  expect(await outcomeOf(lax(url))).toBe("ok");
  expect(await outcomeOf(strict(`${plain.url}/302?${secure.url}/`))).toBe("ok");
});
