import { samplePayload } from "./event_table.ts";
import { requestBytes } from "./http_connection.ts";
import { openHttpContest } from "./http_contest.ts";
import { httpLoad } from "./http_load.ts";
import type { Measurement, Row } from "./row.ts";

/** What group commit is worth to those who publish over HTTP. */
export const postRow: Row = {
  name: "post",
  work: "POST /api/events, 64 connections, SQLite",
  baseline: "bare Hono on the same server, same table and indexes, one commit per request",
  unit: "requests/s",
  goal: { kind: "ratio", atLeast: 2.5 },
  open: () =>
    openHttpContest({
      work: (agent) => load({ url: agent.url, pid: agent.pid, key: agent.adminKey }),
      baseline: (server) => load(server),
    }),
};

async function load({ url, pid, key }: { url: string; pid: number; key?: string }): Promise<Measurement> {
  const body = JSON.stringify({ subject: "bench.stored", payload: samplePayload });
  const { requestsPerSecond, serverBusyPercent, clientBusyPercent } = await httpLoad({
    url,
    pid,
    connections: 64,
    durationMs: 2500,
    request: requestBytes("POST", `${url}/api/events`, key === undefined ? { body } : { body, key }),
    expectedStatus: 201,
  });
  return {
    figure: requestsPerSecond,
    also: {
      server_busy_percent: serverBusyPercent,
      client_busy_percent: clientBusyPercent,
    },
  };
}
