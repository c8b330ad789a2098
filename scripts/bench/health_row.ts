import { requestBytes } from "./http_connection.ts";
import { openHttpContest } from "./http_contest.ts";
import { httpLoad } from "./http_load.ts";
import type { Measurement, Row } from "./row.ts";

/** The price of what stands around every request; what a route asks for itself (a key, a body, checks) comes on top. */
export const healthRow: Row = {
  name: "health",
  work: "GET /health/live through the whole middleware, 64 connections",
  baseline: "the same path on bare Hono on the same server",
  unit: "requests per CPU second of the server",
  goal: { kind: "ratio", atLeast: 0.6 },
  open: () => openHttpContest({ work: load, baseline: load }),
};

async function load({ url, pid }: { url: string; pid: number }): Promise<Measurement> {
  const { requestsPerSecond, requestsPerCpuSecond, serverBusyPercent, clientBusyPercent } = await httpLoad({
    url,
    pid,
    connections: 64,
    durationMs: 2500,
    request: requestBytes("GET", `${url}/health/live`),
    expectedStatus: 200,
  });
  return {
    // By processor time, not by the clock: a client written in TypeScript costs as much as bare Hono does, so that
    // by the clock the quicker server would be held back more.
    figure: requestsPerCpuSecond ?? requestsPerSecond,
    also: {
      requests_per_second: requestsPerSecond,
      server_busy_percent: serverBusyPercent,
      client_busy_percent: clientBusyPercent,
    },
  };
}
