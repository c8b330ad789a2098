import type { Retry } from "./job.ts";
import { PermanentFailure } from "./job.ts";
import { errorText, resultText } from "./job_text.ts";
import { retryDelayMs } from "./retry_delay.ts";

/** Why the signal of a run is aborted. */
export type AbortCause = "cancelled" | "timed_out" | "stopping" | "lease_lost";

/** How the work of a run ended: by itself, or not in the time that it had after its signal. */
export type WorkEnd =
  | { readonly kind: "returned"; readonly result: unknown }
  | { readonly kind: "threw"; readonly error: unknown }
  | { readonly kind: "ignored_signal" };

/** What is to become of the job. */
export type Outcome =
  | { readonly move: "complete"; readonly result: string | null; readonly remark?: string }
  | { readonly move: "fail"; readonly error: string }
  | { readonly move: "postpone"; readonly error: string; readonly delayMs: number }
  | { readonly move: "cancel" }
  | { readonly move: "handBack" }
  /** Another agent has it: nothing is to be written. */
  | { readonly move: "none" };

export interface OutcomeOptions {
  readonly cause: AbortCause | undefined;
  readonly attempt: number;
  readonly retry: Required<Retry>;
  readonly timeLimitMs: number;
  readonly random: () => number;
}

/** Decides by how the work ended and why it was told to. */
export function decideOutcome(end: WorkEnd, options: OutcomeOptions): Outcome {
  const { cause, timeLimitMs } = options;
  if (cause === "lease_lost") return { move: "none" };
  if (cause === "cancelled") return { move: "cancel" };
  if (cause === "stopping") return { move: "handBack" };
  if (cause === "timed_out") {
    const error = new Error(`The attempt took longer than its limit of ${timeLimitMs} ms`);
    // While it still works, another attempt would run beside it.
    if (end.kind === "ignored_signal") {
      error.message += ", and went on when it was told to end";
      return { move: "fail", error: errorText(error, "time_limit") };
    }
    return failed(errorText(error, "time_limit"), options);
  }
  if (end.kind === "returned") {
    const { text, ...remark } = resultText(end.result);
    return { move: "complete", result: text, ...remark };
  }
  if (end.kind === "threw" && !(end.error instanceof PermanentFailure)) {
    return failed(errorText(end.error), options);
  }
  return { move: "fail", error: errorText(end.kind === "threw" ? end.error : "The work did not end") };
}

function failed(error: string, { attempt, retry, random }: OutcomeOptions): Outcome {
  if (attempt >= retry.maxAttempts) return { move: "fail", error };
  return { move: "postpone", error, delayMs: retryDelayMs(attempt, { retry, random }) };
}
