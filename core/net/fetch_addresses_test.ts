import { expect } from "expect";
import {
  openTestFetch,
  outcomeOf,
  type OutgoingServer,
  serveHttp,
} from "../../tests/support/outgoing_server.ts";

/** Each leads to this machine, to another private one, or to no host at all. */
const refused: Readonly<Record<string, readonly string[]>> = {
  blocked_address: [
    ..."http://127.0.0.1 http://127.1 http://127.0.1 http://127.255.255.254 http://0 http://0.0.0.0".split(
      " ",
    ),
    ..."http://2130706433 http://017700000001 http://0x7f000001 http://0x7f.1 http://0177.0.0.1".split(" "),
    ..."http://00000177.1 http://127.0.0.1. http://127.0.0.1:443 https://127.0.0.1 http://127%2e0%2e0%2e1"
      .split(" "),
    ..."http://１２７.0.0.1 http://①②⑦.⓪.⓪.① http://127。0。0。1 http://127．0．0．1".split(" "),
    ..."http://[::1] http://[::] http://[0:0:0:0:0:0:0:1] http://[::ffff:127.0.0.1] http://[::ffff:7f00:1]"
      .split(" "),
    ..."http://[::127.0.0.1] http://[64:ff9b::127.0.0.1] http://[64:ff9b:1::7f00:1] http://[2002:7f00:1::]"
      .split(" "),
    ..."http://[2001:0:1:2:3:4:80ff:fffe] http://[fe80::1] http://[fec0::1] http://[fd00:ec2::254]".split(
      " ",
    ),
    ..."http://10.0.0.1 http://192.168.1.1 http://172.16.0.1 http://100.64.0.1 http://169.254.169.254".split(
      " ",
    ),
    ..."http://2852039166 http://0xa9.0xfe.0xa9.0xfe http://255.255.255.255 http://224.0.0.1".split(" "),
    ..."http://localhost http://LOCALHOST http://localhost. http://ⓛocalhost http://a.localhost".split(" "),
    ..."http://localhost.localdomain http://ip6-localhost http://metadata http://metadata.google.internal"
      .split(" "),
    ..."http://metadata.google.internal. http://instance-data http://public.example:25".split(" "),
    ..."http://public.example:6379@127.0.0.1:22".split(" ").map((text) => text.replace(/\/\/.*@/, "//")),
  ],
  invalid_url: [
    ..."file:///etc/passwd ftp://public.example gopher://127.0.0.1 data:,x blob:x javascript:1 ws://a.example"
      .split(" "),
    ..."http://user@public.example http://u:p@public.example http://public.example@127.0.0.1 http://:p@a.example"
      .split(" "),
    ..."http://[::1%25lo] http://[fe80::1%25eth0] http://[fe80::1%eth0] http://256.0.0.1 http://4294967296"
      .split(" "),
    ..."http://a.0x1.0x http:// //public.example /path http://a%00.example http://exa%20mple http://[::1"
      .split(" "),
    ..."http://public.example:99999 http://0x7f.1.1.1.1 unix:/run/docker.sock".split(" "),
  ],
};

for (const [code, urls] of Object.entries(refused)) {
  Deno.test(`${code} without a packet being sent`, async () => {
    await using fetch = openTestFetch({}, {
      resolve: (name) => Promise.reject(new Error(`"${name}" was looked up`)),
    });
    const outcomes: string[] = [];
    for (const url of urls) outcomes.push(`${url} ${await outcomeOf(fetch(url))}`);
    expect(outcomes).toEqual(urls.map((url) => `${url} ${code}`));
  });
}

Deno.test("a refusal says what to do and shows no path, query or password; it is logged", async () => {
  await using fetch = openTestFetch();
  const refusal = await fetch("http://10.1.2.3:8080/secret/path?token=hunter2").catch((error) => error);
  expect(refusal.message).toBe(
    'Cannot fetch "http://10.1.2.3:8080": it is a private address; if that is meant, add "10.1.2.3" to fetch.allow',
  );
  expect(fetch.warnings).toEqual([
    { plugin: "test", origin: "http://10.1.2.3:8080", reason: refusal.message },
  ]);
  const invalid = await fetch("http://user:hunter2@a.example/x").catch((error) => error);
  expect(invalid.message).not.toContain("hunter2");
  expect((await fetch("http://[hunter2").catch((error) => error)).message).not.toContain("hunter2");
});

interface Named {
  readonly allow?: readonly string[];
  readonly deny?: readonly string[];
  readonly resolved?: readonly string[];
  readonly host?: string;
  readonly outcome: string;
}

/** What a name leads to, and which exceptions open it; {port} is that of a server on 127.0.0.1. */
const named: Readonly<Record<string, Named>> = {
  "a name that leads here": { resolved: ["127.0.0.1"], outcome: "blocked_address" },
  "public and private addresses at once": {
    resolved: ["93.184.216.34", "127.0.0.1"],
    outcome: "blocked_address",
  },
  "an IPv4-mapped answer of DNS": { resolved: ["::ffff:127.0.0.1"], outcome: "blocked_address" },
  "an answer with a zone": { resolved: ["fe80::1%eth0"], outcome: "blocked_address" },
  "an answer that is a name": { resolved: ["localhost"], outcome: "blocked_address" },
  "no addresses": { resolved: [], outcome: "dns" },
  "an exception for the name": { allow: ["feed.example"], outcome: "ok" },
  "written otherwise": { allow: ["Feed.Example."], host: "feed.example.", outcome: "ok" },
  "for the name with this port": { allow: ["feed.example:{port}"], outcome: "ok" },
  "for the name with another port": { allow: ["feed.example:1"], outcome: "blocked_address" },
  "for another name": {
    allow: ["example", "a.feed.example", "feed.example.org"],
    outcome: "blocked_address",
  },
  "for an international name": { allow: ["bücher.example"], host: "xn--bcher-kva.example", outcome: "ok" },
  "for the address": { allow: ["127.0.0.1"], outcome: "ok" },
  "for the address with this port": { allow: ["127.0.0.1:{port}"], outcome: "ok" },
  "for the address with another port": { allow: ["127.0.0.1:1"], outcome: "blocked_address" },
  "for the block": { allow: ["127.0.0.0/8"], outcome: "ok" },
  "for another block": { allow: ["10.0.0.0/8", "::/0"], outcome: "blocked_address" },
  "for localhost": { allow: ["localhost"], host: "localhost", outcome: "ok" },
  "for the address, asked as localhost": {
    allow: ["127.0.0.1"],
    host: "localhost",
    outcome: "blocked_address",
  },
  "a name does not open metadata": {
    allow: ["feed.example"],
    resolved: ["169.254.169.254"],
    outcome: "blocked_address",
  },
  "a name does not open NAT64": {
    allow: ["feed.example"],
    resolved: ["64:ff9b::127.0.0.1"],
    outcome: "blocked_address",
  },
  "deny wins over allow": { allow: ["feed.example"], deny: ["feed.example"], outcome: "blocked_address" },
  "deny by block": { allow: ["127.0.0.1"], deny: ["127.0.0.0/8"], outcome: "blocked_address" },
  "deny of a public address": {
    deny: ["93.184.0.0/16"],
    resolved: ["93.184.216.34"],
    outcome: "blocked_address",
  },
};

for (
  const [title, { allow = [], deny = [], resolved, host = "feed.example", outcome }] of Object.entries(named)
) {
  Deno.test(`by name: ${title}: ${outcome}`, async () => {
    await using server = await serveHttp((_, response) => response.end());
    const filled = (list: readonly string[]) => list.map((text) => text.replace("{port}", `${server.port}`));
    await using fetch = openTestFetch({ allow: filled(allow), deny: filled(deny), connect_timeout: "2s" }, {
      resolve: () => Promise.resolve(resolved ?? ["127.0.0.1"]),
    });
    expect(await outcomeOf(fetch(`http://${host}:${server.port}/`))).toBe(outcome);
    expect(server.requests.map((request) => request.headers.host)).toEqual(
      outcome === "ok" ? [`${host}:${server.port}`] : [],
    );
  });
}

Deno.test("DNS rebinding: the address that was checked is the one that is connected to", async () => {
  await using honest = await serveHttp((_, response) => response.end("honest"), { host: "127.0.0.2" });
  await using internal = await serveHttp((_, response) => response.end("internal"), { port: honest.port });
  const answers = ["127.0.0.2", "127.0.0.1", "127.0.0.1"];
  let asked = 0;
  await using fetch = openTestFetch({ allow: ["127.0.0.2"] }, {
    resolve: () => Promise.resolve([answers[asked++]!]),
  });
  const url = `http://rebind.example:${honest.port}/`;
  expect(await (await fetch(url)).text()).toBe("honest");
  expect(asked).toBe(1);
  expect(await outcomeOf(fetch(url))).toBe("blocked_address");
  expect(internal.requests).toHaveLength(0);
});

Deno.test("who answers has to be who was checked", async () => {
  await using server = await serveHttp((_, response) => response.end("x"));
  // The kernel takes 0.0.0.0 for 127.0.0.1, which nobody has allowed.
  await using fetch = openTestFetch({ allow: ["0.0.0.0"], retries: 0 });
  const error = await fetch(`http://0.0.0.0:${server.port}/`).catch((error) => error);
  expect(error.message).toContain("the connection leads to 127.0.0.1 instead of 0.0.0.0");
  expect(server.requests).toHaveLength(0);
});

Deno.test("IPv6 by its literal and by name, with the brackets where they belong", async () => {
  let server: OutgoingServer;
  try {
    server = await serveHttp((request, response) => response.end(request.headers.host), { host: "::1" });
  } catch {
    return; // a machine without IPv6
  }
  await using _ = server;
  await using fetch = openTestFetch({ allow: ["[::1]"] }, { resolve: () => Promise.resolve(["::1"]) });
  expect(await (await fetch(`${server.url}/`)).text()).toBe(`[::1]:${server.port}`);
  expect(await (await fetch(`http://six.example:${server.port}/`)).text()).toBe(`six.example:${server.port}`);
});

Deno.test("the next address is tried where one does not answer", async () => {
  await using server = await serveHttp((_, response) => response.end("here"));
  await using fetch = openTestFetch({ allow: ["127.0.0.0/8"], retries: 0 }, {
    resolve: () => Promise.resolve(["127.0.0.3", "127.0.0.1"]),
  });
  expect(await (await fetch(`http://two.example:${server.port}/`, { method: "POST" })).text()).toBe("here");
});

Deno.test("a port that is not for HTTP opens by an exception that names it", async () => {
  await using fetch = openTestFetch({ allow: ["127.0.0.1:25", "127.0.0.2"], retries: 0 });
  expect(await outcomeOf(fetch("http://127.0.0.1:25/"))).toBe("connection"); // nobody listens there
  expect(await outcomeOf(fetch("http://127.0.0.2:25/"))).toBe("blocked_address");
});

Deno.test("names that DNS does not know", async () => {
  await using fetch = openTestFetch({}, {
    resolve: () => Promise.reject(Object.assign(new Error("no"), { code: "ENOTFOUND" })),
  });
  const error = await fetch("http://gone.example/").catch((error) => error);
  expect(error).toMatchObject({ code: "dns", sent: false });
  expect(error.message).toContain("ENOTFOUND");
  await using slow = openTestFetch({ connect_timeout: "30ms" }, { resolve: () => new Promise(() => {}) });
  expect(await outcomeOf(slow("http://slow.example/"))).toBe("dns");
});
