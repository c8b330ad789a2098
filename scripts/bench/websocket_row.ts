import { samplePayload } from "./event_table.ts";
import { fanOut, type FanOutOptions } from "./fan_out.ts";
import { openHttpContest } from "./http_contest.ts";
import type { Contest, Measurement, Row } from "./row.ts";
import { quantile } from "./summary.ts";

const load = { subscribers: 200, eventsPerSecond: 1000, durationMs: 4000 };

const baseline =
  "the floor: a bare server that sends the body of each POST to 200 sockets, nothing stored; p99";

/** From an event that is due to 200 screens that show it. */
export const websocketRow: Row = {
  name: "websocket",
  work: "POST /api/events to each of 200 subscribers of everything, at 1,000 events/s, batch=true; p99",
  baseline,
  unit: "ms",
  goal: { kind: "figure", below: 20 },
  open: () => openContest("?batch=true"),
};

/** The same with one message per event, as a stream is without `batch`. */
export const websocketSingleRow: Row = {
  name: "websocket-single",
  work: "the same with one message per event, which is what a stream sends unless asked for batches; p99",
  baseline,
  unit: "ms",
  goal: { kind: "none" },
  open: () => openContest(""),
};

function openContest(query: string): Promise<Contest> {
  return openHttpContest({
    work: ({ url, pid, adminKey: key }) => {
      const streamUrl = `${url}/api/events/stream${query}`;
      return measure({ ...load, streamUrl, publishUrl: `${url}/api/events`, key, pid, body });
    },
    baseline: ({ url, pid }) => {
      const streamUrl = `${url}/stream`;
      return measure({ ...load, streamUrl, publishUrl: `${url}/broadcast`, pid, body: floorBody });
    },
  });
}

async function measure(options: FanOutOptions): Promise<Measurement> {
  const run = await fanOut(options);
  return {
    figure: quantile(run.latenciesMs, 0.99),
    also: {
      p50_ms: quantile(run.latenciesMs, 0.5),
      max_ms: quantile(run.latenciesMs, 1),
      answered_p99_ms: quantile(run.answersMs, 0.99),
      deliveries_per_second: run.deliveriesPerSecond,
      server_us_per_delivery: run.serverMicrosecondsPerDelivery,
      server_busy_percent: run.serverBusyPercent,
      client_busy_percent: run.clientBusyPercent,
      others_busy_percent: run.othersBusyPercent,
    },
  };
}

function body(stamp: string): string {
  return JSON.stringify({ subject: "bench.stored", payload: { ...samplePayload, stamp } });
}

/** As long as what the agent makes of it. */
function floorBody(stamp: string): string {
  const envelope = "-".repeat(295);
  return JSON.stringify({ envelope, payload: { ...samplePayload, stamp } });
}
