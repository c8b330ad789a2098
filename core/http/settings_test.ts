import { expect } from "expect";
import { httpSettings } from "./settings.ts";

Deno.test("nothing configured: loopback, port 9000, limits on", () => {
  expect(httpSettings.parse({})).toEqual({
    host: "127.0.0.1",
    port: 9000,
    allowed_hosts: [],
    allowed_origins: [],
    trusted_proxies: [],
    max_body: 1024 ** 2,
    request_timeout: 30_000,
    rate_limits: {
      per_key: { per_second: 10_000, burst: 20_000 },
      per_address: { per_second: 1000, burst: 2000 },
      failed_keys_per_minute: 20,
    },
  });
});

Deno.test("what makes no sense is refused", () => {
  const wrong = [
    { ports: 1 },
    { port: 65_536 },
    { allowed_hosts: ["hub.example.org:9000"] },
    { allowed_hosts: ["https://hub.example.org"] },
    { allowed_origins: ["https://a.example.org/"] },
    { allowed_origins: ["*"] },
    { trusted_proxies: ["10.0.0.0/33"] },
    { trusted_proxies: ["proxy.example.org"] },
    { max_body: "10" },
    { rate_limits: { per_key: { per_second: 0 } } },
  ];
  for (const settings of wrong) {
    expect([settings, httpSettings.safeParse(settings).success]).toEqual([settings, false]);
  }
  expect(httpSettings.parse({ rate_limits: { per_key: null } }).rate_limits.per_key).toBeNull();
});
