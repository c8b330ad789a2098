import { AsyncLocalStorage } from "node:async_hooks";
import type { Principal } from "./http/principal.ts";

/** What one request, event, query or job carries along to everything that it causes. */
export interface CallContext {
  /** One id from the first request to the last event it leads to. */
  readonly correlationId: string;
  /** Id of the event whose handling we are in. */
  readonly causationId?: string | undefined;
  /** W3C trace context, passed on as it came. */
  readonly traceparent?: string | undefined;
  /** Who asked; absent for what the agent does by itself. */
  readonly principal?: Principal | undefined;
}

const storage = new AsyncLocalStorage<CallContext | undefined>();

/** The context of the call we are in, if any. */
export function currentContext(): CallContext | undefined {
  return storage.getStore();
}

/** Runs `work` inside `context`; everything it awaits sees the same context. */
export function withContext<Result>(context: CallContext, work: () => Result): Result {
  return storage.run(context, work);
}

/** Runs `work` inside no context. */
export function withoutContext<Result>(work: () => Result): Result {
  return storage.run(undefined, work);
}
