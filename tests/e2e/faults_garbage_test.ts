import { expect } from "expect";
import { rawRequest } from "../support/raw_request.ts";
import { type Agent, startAgent } from "../support/run_agent.ts";
import { within } from "../support/wait_for.ts";

const config = { log: { level: "warn" }, plugins: { "event-store": {} } };
const megabyte = 1024 * 1024;

/** Fails unless the agent answers as before, and has logged no error. */
async function expectUnharmed(agent: Agent): Promise<void> {
  const answer = await publish(agent, JSON.stringify({ subject: "demo.created", payload: {} }));
  expect(answer.status).toBe(201);
  expect((await (await agent.fetch("/health")).json()).status).toBe("healthy");
  const errors = agent.output().split("\n").filter((line) =>
    /"level":"error"|unexpected|[Uu]ncaught/.test(line)
  );
  expect(errors).toEqual([]);
}

interface Answer {
  readonly status: number;
  // deno-lint-ignore no-explicit-any -- a test looks into whatever was answered
  readonly body: any;
}

/** Sends a body to `POST /api/events`; a refusal has to be a problem with the correlation id of its header. */
async function publish(agent: Agent, body: BodyInit, headers: Record<string, string> = {}): Promise<Answer> {
  const sent = agent.fetch("/api/events", {
    method: "POST",
    headers: { "content-type": "application/json", ...headers },
    body,
  });
  const answer = await within(sent, { what: "an answer", timeoutMs: 10_000 });
  const json = await answer.json();
  if (!answer.ok) {
    expect(answer.headers.get("content-type")).toBe("application/problem+json");
    expect(json).toMatchObject({
      status: answer.status,
      code: expect.any(String),
      detail: expect.any(String),
      correlation_id: answer.headers.get("x-correlation-id"),
    });
    expect(json.detail.length).toBeLessThan(1000);
    expect(json.detail).not.toMatch(/\bat \S+ \(|\.ts:|file:|node_modules/);
  }
  return { status: answer.status, body: json };
}

const event = (payload: string) => `{"subject":"demo.created","payload":${payload}}`;
const encode = (text: string) => new TextEncoder().encode(text);
const deep = (levels: number) => `{"a":${"[".repeat(levels)}${"]".repeat(levels)}}`;

const bodies: readonly [what: string, body: BodyInit, status: number, code: string][] = [
  ["nothing", "", 400, "malformed_body"],
  ["half a JSON text", '{"subject":', 400, "malformed_body"],
  ["no JSON", "subject=demo.created", 400, "malformed_body"],
  ["JSON nested 100,000 deep", event(deep(100_000)), 400, "json_too_deep"],
  ["JSON that opens 100,000 brackets", "[".repeat(100_000), 400, "json_too_deep"],
  [
    "bytes that are no UTF-8",
    new Uint8Array([...encode('{"subject":"'), 0xff, 0xfe, 0x22, 0x7d]),
    400,
    "invalid_utf8",
  ],
  ["half a surrogate pair as bytes", new Uint8Array([0x22, 0xed, 0xa0, 0x80, 0x22]), 400, "invalid_utf8"],
  ["a NUL byte", event('{"a":"\0"}'), 400, "malformed_body"],
  ["an escaped NUL", event('{"a":"\\u0000"}'), 400, "unstorable_text"],
  ["an escaped NUL in a name", event('{"\\u0000":1}'), 400, "unstorable_text"],
  ["a lone surrogate", event('{"a":"\\ud800"}'), 400, "unstorable_text"],
  [
    "__proto__ beside what is known",
    '{"subject":"demo.created","payload":{},"__proto__":{"admin":true}}',
    422,
    "invalid_request",
  ],
  ["a payload above its limit", event(`{"a":"${"x".repeat(300 * 1024)}"}`), 413, "payload_too_large"],
  ["9 MB with their length", event(`{"a":"${"x".repeat(9 * megabyte)}"}`), 413, "body_too_large"],
];

Deno.test("bodies that are wrong, huge or hostile get a problem that says so", async (test) => {
  await using agent = await startAgent({ config });
  for (const [what, body, status, code] of bodies) {
    await test.step(what, async () => {
      const answer = await publish(agent, body);
      expect({ status: answer.status, code: answer.body.code }).toEqual({ status, code });
    });
  }
  await test.step("9 MB without their length", async () => {
    const part = encode("x".repeat(megabyte));
    let parts = 9;
    const stream = new ReadableStream<Uint8Array>({
      pull: (controller) => parts-- > 0 ? controller.enqueue(part) : controller.close(),
    });
    const answer = await publish(agent, stream);
    expect({ status: answer.status, code: answer.body.code }).toEqual({
      status: 413,
      code: "body_too_large",
    });
  });
  await expectUnharmed(agent);
});

Deno.test("a content type that is not JSON is refused, whatever the body holds", async (test) => {
  await using agent = await startAgent({ config });
  for (
    const type of [
      "text/plain",
      "application/xml",
      "multipart/form-data",
      "application/x-www-form-urlencoded",
      "{}",
    ]
  ) {
    await test.step(type, async () => {
      const { status, body } = await publish(agent, event("{}"), { "content-type": type });
      expect({ status, code: body.code }).toEqual({ status: 415, code: "unsupported_media_type" });
    });
  }
  await expectUnharmed(agent);
});

Deno.test("names that mean something to JavaScript come back as they were sent, and change nothing", async () => {
  await using agent = await startAgent({ config });
  for (
    const payload of [
      '{"__proto__":{"admin":true}}',
      '{"constructor":{"prototype":{"admin":true}}}',
      '{"toString":1}',
    ]
  ) {
    const { status, body } = await publish(agent, event(payload));
    expect(status).toBe(201);
    const stored = await (await agent.fetch(`/api/events/${body.event_id}`)).text();
    expect(stored).toContain(`"payload":${payload}`);
    expect((await publish(agent, event("{}"))).body).not.toHaveProperty("admin");
  }
  await expectUnharmed(agent);
});

/** Requests by hand: what no client library would send. */
function handmade(
  key: string,
): readonly [what: string, bytes: string | Uint8Array, statuses: (number | undefined)[]][] {
  const login = `host: 127.0.0.1\r\nauthorization: Bearer ${key}\r\n`;
  const close = "connection: close\r\n\r\n";
  const post = `POST /api/events HTTP/1.1\r\n${login}content-type: application/json\r\n`;
  const noise = crypto.getRandomValues(new Uint8Array(60_000));
  return [
    ["random bytes", noise, [400, 505, undefined]],
    ["a TLS handshake", new Uint8Array([22, 3, 1, 2, 0, 1, 0, 1, 252, 3, 3]), [400, undefined]],
    ["HTTP/2 by prior knowledge", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", [200, 400, undefined]],
    ["a request line alone", "GET /health", [400, undefined]],
    ["no host", `GET /health/live HTTP/1.1\r\n${close}`, [400]],
    ["two hosts", `GET /health/live HTTP/1.1\r\nhost: 127.0.0.1\r\nhost: evil.example\r\n${close}`, [
      200,
      400,
      421,
    ]],
    ["a foreign host", `GET /health/live HTTP/1.1\r\nhost: evil.example\r\n${close}`, [421]],
    ["a foreign absolute URL", `GET http://evil.example/health HTTP/1.1\r\nhost: 127.0.0.1\r\n${close}`, [
      200,
      400,
      421,
    ]],
    ["a method of our own", `BREW /api/events HTTP/1.1\r\n${login}${close}`, [405, undefined]],
    ["CONNECT", `CONNECT evil.example:443 HTTP/1.1\r\n${login}${close}`, [400, 404, 405, 421, undefined]],
    ["OPTIONS *", `OPTIONS * HTTP/1.1\r\n${login}${close}`, [400, 404, undefined]],
    ["a path that climbs", `GET /docs/../../../etc/passwd HTTP/1.1\r\n${login}${close}`, [404]],
    ["a path that climbs, encoded", `GET /docs/%2e%2e%2f%2e%2e%2fetc%2fpasswd HTTP/1.1\r\n${login}${close}`, [
      404,
    ]],
    ["a path that reads like a pattern", `DELETE /api/keys/* HTTP/1.1\r\n${login}${close}`, [404]],
    ["bad percent-encoding", `GET /api/events/%zz%ff HTTP/1.1\r\n${login}${close}`, [400, 404]],
    ["NUL in a path", `GET /api/events/%00 HTTP/1.1\r\n${login}${close}`, [400]],
    ["bytes above ASCII in a path", `GET /api/events/é\u0080 HTTP/1.1\r\n${login}${close}`, [
      400,
      404,
      undefined,
    ]],
    ["a path of 1 MB", `GET /${"a".repeat(megabyte)} HTTP/1.1\r\n${login}${close}`, [
      400,
      414,
      431,
      undefined,
    ]],
    ["a header of 1 MB", `GET /health/live HTTP/1.1\r\n${login}x-big: ${"a".repeat(megabyte)}\r\n${close}`, [
      400,
      431,
      undefined,
    ]],
    ["10,000 headers", `GET /health/live HTTP/1.1\r\n${login}${"x-a: b\r\n".repeat(10_000)}${close}`, [
      400,
      431,
      undefined,
    ]],
    ["a header with a bare line feed", `GET /health/live HTTP/1.1\r\n${login}x-a: b\nx-c: d\r\n${close}`, [
      200,
      400,
    ]],
    ["a length that is no number", `${post}content-length: many\r\n${close}{}`, [400, undefined]],
    ["a negative length", `${post}content-length: -1\r\n${close}{}`, [400, undefined]],
    ["two lengths", `${post}content-length: 2\r\ncontent-length: 40\r\n${close}{}`, [400, undefined]],
    ["length and chunks", `${post}content-length: 2\r\ntransfer-encoding: chunked\r\n${close}0\r\n\r\n`, [
      400,
      undefined,
    ]],
    ["a chunk of no size", `${post}transfer-encoding: chunked\r\n${close}zz\r\n{}\r\n0\r\n\r\n`, [
      400,
      undefined,
    ]],
    ["a body that breaks off", `${post}content-length: 1000\r\n${close}{"subject":`, [400, undefined]],
    [
      "a WebSocket without its key",
      `GET /api/events/stream HTTP/1.1\r\n${login}upgrade: websocket\r\nconnection: upgrade\r\n\r\n`,
      [400, 426],
    ],
    [
      "an unknown upgrade",
      `GET /api/events/stream HTTP/1.1\r\n${login}upgrade: carrier-pigeon\r\nconnection: upgrade\r\n\r\n`,
      [426],
    ],
  ];
}

Deno.test("what is hardly HTTP is refused, and nobody else notices", async (test) => {
  await using agent = await startAgent({ config });
  for (const [what, bytes, statuses] of handmade(agent.adminKey)) {
    await test.step(what, async () => {
      const { status, text } = await rawRequest(agent.url, bytes);
      expect(statuses).toContain(status);
      expect(text).not.toMatch(/\bat \S+ \(|\.ts:|file:|node_modules|root:x/);
      expect(text).not.toContain(agent.dataDir);
    });
  }
  await expectUnharmed(agent);
});

Deno.test("garbage inside a WebSocket ends that connection only", async () => {
  await using agent = await startAgent({ config });
  const handshake =
    `GET /api/events/stream HTTP/1.1\r\nhost: 127.0.0.1\r\nauthorization: Bearer ${agent.adminKey}\r\n` +
    "upgrade: websocket\r\nconnection: upgrade\r\nsec-websocket-version: 13\r\nsec-websocket-key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n";
  const noise = crypto.getRandomValues(new Uint8Array(60_000));
  const tooLong = new Uint8Array([0x82, 0xff, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1, 2, 3, 4]);
  const badText = new Uint8Array([0x81, 0x82, 0, 0, 0, 0, 0xff, 0xfe]);
  for (const frames of [noise, tooLong, badText]) {
    const { status } = await rawRequest(agent.url, handshake, frames);
    expect(status).toBe(101);
  }
  await expectUnharmed(agent);
});
