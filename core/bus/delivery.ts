import { messageOf } from "../errors.ts";
import type { Logger } from "../log.ts";
import { BusError, type BusMessage, type ConsumeOptions, type Delivery, type StreamPosition } from "./bus.ts";
import type { HandlerErrorListener } from "./mailbox.ts";
import { compilePattern } from "./subject.ts";

/** How a durable consumer delivers, with every default filled in. */
export interface DeliveryPolicy {
  readonly durable: string;
  readonly pattern: string;
  readonly matches: (subject: string) => boolean;
  readonly backoffMs: readonly number[];
  readonly maxDeliveries: number;
  readonly ackWaitMs: number;
  readonly start: "first" | "new";
  readonly concurrency: number;
  readonly resumeAt: (() => StreamPosition | "first") | undefined;
  readonly onGivenUp: (message: BusMessage, error: unknown) => void;
}

/** What became of one delivery: handled, to be delivered again after a while, or given up for good. */
export type Outcome =
  | { readonly kind: "handled" }
  | { readonly kind: "again"; readonly delayMs: number }
  | { readonly kind: "given_up" };

/** Checks and completes the options of a consumer. Throws BusError invalid_subject for a bad name or pattern. */
export function deliveryPolicy(options: ConsumeOptions): DeliveryPolicy {
  if (!/^[A-Za-z0-9_-]{1,128}$/.test(options.durable)) {
    throw new BusError(
      "invalid_subject",
      `Cannot consume as "${options.durable.slice(0, 128)}": a durable name has only A-Z, a-z, 0-9, _ and -`,
    );
  }
  const backoffMs = options.backoffMs ?? [1000, 5000, 30_000];
  return {
    durable: options.durable,
    pattern: options.pattern,
    matches: compilePattern(options.pattern),
    backoffMs: backoffMs.length === 0 ? [0] : backoffMs,
    maxDeliveries: options.maxDeliveries ?? 10,
    ackWaitMs: options.ackWaitMs ?? 30_000,
    start: options.start ?? "new",
    concurrency: options.concurrency ?? 1,
    resumeAt: options.resumeAt,
    onGivenUp: options.onGivenUp ?? (() => {}),
  };
}

/** What a delivery needs besides the message and its handler. */
export interface DeliveryContext {
  readonly policy: DeliveryPolicy;
  readonly log: Logger;
  readonly onHandlerError: HandlerErrorListener;
}

/** Runs the handler once, bounded in time, and decides what comes next; never rejects. */
export async function deliver(
  delivery: Delivery,
  handle: (delivery: Delivery) => unknown,
  context: DeliveryContext,
): Promise<Outcome> {
  const { policy, onHandlerError } = context;
  let failure: unknown;
  if (delivery.attempt > policy.maxDeliveries) {
    // Earlier ones were lost without an answer, for instance because handling it ends the process each time.
    failure = new Error(`no answer from its handler in ${policy.maxDeliveries} deliveries`);
  } else {
    try {
      await withDeadline(() => handle(delivery), policy.ackWaitMs);
      return { kind: "handled" };
    } catch (error) {
      failure = error;
      onHandlerError(error, delivery.subject);
    }
  }
  if (delivery.attempt < policy.maxDeliveries) {
    const { backoffMs } = policy;
    return { kind: "again", delayMs: backoffMs[Math.min(delivery.attempt, backoffMs.length) - 1] ?? 0 };
  }
  giveUp(delivery, failure, context);
  return { kind: "given_up" };
}

function giveUp(
  delivery: Delivery,
  failure: unknown,
  { policy, log, onHandlerError }: DeliveryContext,
): void {
  const message =
    `Consumer "${policy.durable}" gave up "${delivery.subject}" after ${policy.maxDeliveries} deliveries`;
  log.error(`${message}: ${messageOf(failure)}`, { event_id: delivery.headers["ce-id"] });
  try {
    policy.onGivenUp(delivery, failure);
  } catch (error) {
    onHandlerError(error, delivery.subject);
  }
}

async function withDeadline(work: () => unknown, timeoutMs: number): Promise<void> {
  const working = work();
  if (!(working instanceof Promise)) return;
  if (timeoutMs === Infinity) return void await working;
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`the handler took longer than ${timeoutMs} ms`)), timeoutMs);
  });
  try {
    await Promise.race([working, late]);
  } finally {
    clearTimeout(timer);
  }
}
