import { setTimeout as delay } from "node:timers/promises";
import { CliError, exitCode } from "./cli_error.ts";
import type { Terminal } from "./terminal.ts";

const firstDelayMs = 250;
const longestDelayMs = 15_000;

/** What is wrong, where the same request may well succeed later: the agent is away, overloaded or starting. Else throws. */
export function passingFault(error: unknown): string {
  const passing = error instanceof CliError &&
    (error.exitCode === exitCode.unreachable || error.status === 429 || (error.status ?? 0) >= 500);
  if (!passing) throw error;
  return error.message;
}

/**
 * Asks until there is an answer: what passes is told, and asked again after growing waits. Rejects with what does not
 * pass, and when interrupted.
 */
export async function askUntilAnswered<Answer>(
  ask: () => Promise<Answer>,
  terminal: Terminal,
): Promise<Answer> {
  for (let delayMs = firstDelayMs;; delayMs = Math.min(delayMs * 2, longestDelayMs)) {
    try {
      return await ask();
    } catch (error) {
      const fault = passingFault(error);
      const waitMs = Math.round(delayMs * (0.75 + Math.random() / 2));
      terminal.note(`${fault}. Trying again in ${(waitMs / 1000).toFixed(1)} s.`);
      await delay(waitMs, undefined, { signal: terminal.interrupted });
    }
  }
}
