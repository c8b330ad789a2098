import type { Agent } from "./run_agent.ts";
import { waitFor } from "./wait_for.ts";

/** Resolves once `/health` shows a check with this status; an outage may take the agent a while to notice. */
export async function untilCheck(agent: Agent, name: string, status: "up" | "down"): Promise<void> {
  await waitFor(async () => {
    const answer = await agent.fetch("/health");
    const { checks }: { checks: { name: string; status: string }[] } = await answer.json();
    return checks.some((check) => check.name === name && check.status === status);
  }, { what: `the check "${name}" to be ${status}`, timeoutMs: 30_000, pollMs: 50 });
}

/** Resolves once a metric without labels has a value that `accept` wants. */
export async function untilMetric(
  agent: Agent,
  name: string,
  accept: (value: number) => boolean,
): Promise<void> {
  await waitFor(async () => {
    const text = await (await agent.fetch("/metrics")).text();
    const value = new RegExp(`^${name} (.+)$`, "m").exec(text)?.[1];
    return value !== undefined && accept(Number(value));
  }, { what: `the metric ${name}`, timeoutMs: 30_000, pollMs: 50 });
}
