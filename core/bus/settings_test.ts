import { expect } from "expect";
import { busAddresses, busSettings } from "./settings.ts";

Deno.test("nothing configured means the bus in memory, with the stream's defaults", () => {
  expect(busSettings.parse({})).toEqual({
    url: "memory:",
    stream: {
      name: "COMMANDCENTER_EVENTS",
      max_age: 7 * 86_400_000,
      replicas: 1,
      duplicate_window: 120_000,
      storage: "file",
    },
  });
});

for (
  const url of [
    "memory:",
    "nats://127.0.0.1",
    "nats://nats.example.org:4222",
    "tls://a:4222, nats://b",
    "nats://[::1]:4222",
  ]
) {
  Deno.test(`"${url}" is a bus URL`, () => {
    expect(busSettings.safeParse({ url }).success).toBe(true);
  });
}

for (
  const url of ["", "memory", "http://a", "nats://", "nats://user:secret@a", "nats://a,memory:", "nats://a/b"]
) {
  Deno.test(`"${url}" is no bus URL`, () => {
    expect(busSettings.safeParse({ url }).error?.issues[0]?.path).toEqual(["url"]);
  });
}

const faults: [fault: string, settings: Record<string, unknown>, message: string][] = [
  ["two ways to log in", { token: "a", nkey: "b" }, "give one of"],
  ["a user without password", { user: "a" }, "go together"],
  ["a key without certificate", { tls: { key: "a" } }, "go together"],
  [
    "a duplicate window longer than events live",
    { stream: { max_age: "1m", duplicate_window: "2m" } },
    "max_age",
  ],
  ["a stream name with a dot", { stream: { name: "a.b" } }, "expected letters"],
  ["an unknown key", { streams: {} }, "Unrecognized key"],
];
for (const [fault, settings, message] of faults) {
  Deno.test(`${fault} is refused`, () => {
    expect(busSettings.safeParse(settings).error?.issues[0]?.message).toContain(message);
  });
}

Deno.test("secrets do not show when the settings are printed", () => {
  const settings = busSettings.parse({
    user: "agent",
    password: "hush-1",
    tls: { certificate: "c", key: "hush-2" },
  });
  expect(JSON.stringify(settings) + Deno.inspect(settings)).not.toContain("hush");
  expect(settings.password?.reveal()).toBe("hush-1");
});

Deno.test("several addresses come apart", () => {
  expect(busAddresses("nats://a:1, tls://b")).toEqual(["nats://a:1", "tls://b"]);
});
