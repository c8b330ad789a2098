import type { Agent } from "../../tests/support/run_agent.ts";
import { type BaselineServer, startBaselineServer } from "./baseline_server.ts";
import { startBenchAgent } from "./bench_agent.ts";
import type { Contest, Measurement } from "./row.ts";

interface Sides {
  readonly work: (agent: Agent) => Promise<Measurement>;
  readonly baseline: (server: BaselineServer) => Promise<Measurement>;
}

/** The real program and the baseline program, each in its own process, with the load made in this one. */
export async function openHttpContest({ work, baseline }: Sides): Promise<Contest> {
  await using opened = new AsyncDisposableStack();
  const agent = opened.use(await startBenchAgent());
  const server = opened.use(await startBaselineServer());
  const resources = opened.move();
  return {
    work: () => work(agent),
    baseline: () => baseline(server),
    [Symbol.asyncDispose]: () => resources.disposeAsync(),
  };
}
