import process from "node:process";
import { cpuSecondsOf } from "./cpu_time.ts";
import { HttpConnection } from "./http_connection.ts";

const warmupMs = 300;

export interface HttpLoadOptions {
  readonly url: string;
  /** Process that answers, for its processor time. */
  readonly pid: number;
  readonly connections: number;
  readonly durationMs: number;
  readonly request: Uint8Array;
  readonly expectedStatus: number;
}

/** What a load brought about. */
export interface HttpLoad {
  readonly requestsPerSecond: number;
  /** Requests per second of the server's processor time; undefined where the system does not tell. */
  readonly requestsPerCpuSecond: number | undefined;
  /** Share of one core that the server, and that this process, used. */
  readonly serverBusyPercent: number;
  readonly clientBusyPercent: number;
}

/** Keeps one request under way on each connection for the given time. Rejects on any unexpected answer. */
export async function httpLoad(options: HttpLoadOptions): Promise<HttpLoad> {
  const { url, connections, durationMs, request, expectedStatus } = options;
  let answered = 0;
  let running = true;
  const sending = Array.from({ length: connections }, async () => {
    using connection = await HttpConnection.open(url);
    while (running) {
      await connection.exchange(request, expectedStatus);
      answered++;
    }
  });
  const measured = watch(options, () => answered).finally(() => running = false);
  // A connection that fails ends the measuring at once instead of being waited for.
  await Promise.race([measured, Promise.all(sending)]);
  await Promise.all(sending);
  const { requests, seconds, serverSeconds, clientSeconds } = await measured;
  return {
    requestsPerSecond: requests / seconds,
    requestsPerCpuSecond: serverSeconds > 0 ? requests / serverSeconds : undefined,
    serverBusyPercent: serverSeconds / seconds * 100,
    clientBusyPercent: clientSeconds / seconds * 100,
  };

  async function watch({ pid }: HttpLoadOptions, count: () => number) {
    await delay(warmupMs);
    const before = {
      count: count(),
      at: performance.now(),
      server: cpuSecondsOf(pid),
      client: process.cpuUsage(),
    };
    await delay(durationMs);
    const seconds = (performance.now() - before.at) / 1000;
    const serverSeconds = (cpuSecondsOf(pid) ?? NaN) - (before.server ?? NaN);
    const { user, system } = process.cpuUsage(before.client);
    return { requests: count() - before.count, seconds, serverSeconds, clientSeconds: (user + system) / 1e6 };
  }
}

function delay(timeMs: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, timeMs));
}
