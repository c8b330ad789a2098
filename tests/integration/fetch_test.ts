import { expect } from "expect";
import { z } from "zod";
import { FetchError } from "../../core/net/fetch_error.ts";
import type { GuardedFetch } from "../../core/net/guarded_fetch.ts";
import { definePlugin } from "../../core/plugin.ts";
import { serveHttp, serveRaw } from "../support/outgoing_server.ts";
import { startTestKernel } from "../support/test_kernel.ts";
import { waitFor } from "../support/wait_for.ts";
import metricsPlugin from "../../plugins/metrics/plugin.ts";

/** A plugin that lends its `host.fetch` out. */
function lending(lend: (fetch: GuardedFetch) => void) {
  return definePlugin({
    name: "lender",
    summary: "Lends its fetch out",
    config: z.strictObject({}),
    prefixes: [],
    start: (host) => lend(host.fetch),
  });
}

Deno.test("host.fetch: exceptions come from the configuration only, calls are counted, the agent itself stays out of reach", async () => {
  await using server = await serveHttp((_, response) => response.end("12345"));
  let fetch!: GuardedFetch;
  await using kernel = await startTestKernel({
    plugins: [lending((lent) => fetch = lent), metricsPlugin],
    fetch: { allow: [`127.0.0.1:${server.port}`] },
  });
  expect(await (await fetch(server.url)).text()).toBe("12345");
  const refusal = await fetch(`${kernel.url}/health`, { allow: ["127.0.0.1"] } as RequestInit).catch((
    error,
  ) => error);
  expect(refusal).toBeInstanceOf(FetchError);
  expect(refusal.code).toBe("blocked_address");
  const scrape = await (await kernel.fetch("/metrics")).text();
  expect(scrape).toContain('commandcenter_fetch_requests_total{outcome="2xx"} 1');
  expect(scrape).toContain('commandcenter_fetch_requests_total{outcome="blocked_address"} 1');
  expect(scrape).toContain("commandcenter_fetch_received_bytes_total 5");
  expect(scrape).toContain("commandcenter_fetch_request_duration_seconds_count 2");
});

Deno.test("host.fetch: what a plugin has under way ends when it is stopped, that of others goes on", async () => {
  await using mute = await serveRaw(() => {});
  let fetch!: GuardedFetch;
  await using kernel = await startTestKernel({
    plugins: [lending((lent) => fetch = lent)],
    fetch: { allow: ["127.0.0.1"] },
  });
  const first = fetch(mute.url).catch((error) => error);
  await waitFor(() => mute.connections === 1, { what: "the request" });
  await kernel.stopPlugin("lender");
  expect((await first).message).toBe('The plugin "lender" is stopping');
  await kernel.startPlugin("lender");
  const second = fetch(mute.url).catch((error) => error);
  await waitFor(() => mute.connections === 2, { what: "the second request" });
  await kernel.stop();
  expect((await second).message).toBe('The plugin "lender" is stopping');
});
