import {
  type Attributes,
  context,
  ProxyTracerProvider,
  ROOT_CONTEXT,
  type Span,
  SpanKind,
  SpanStatusCode,
  trace,
} from "@opentelemetry/api";
import { type CallContext, currentContext, withContext, withoutContext } from "./context.ts";
import { messageOf } from "./errors.ts";

export interface SpanOptions {
  readonly kind: "producer" | "consumer" | "client" | "server";
  readonly attributes?: Attributes;
}

const kinds = {
  producer: SpanKind.PRODUCER,
  consumer: SpanKind.CONSUMER,
  client: SpanKind.CLIENT,
  server: SpanKind.SERVER,
} as const;

const tracer = trace.getTracer("commandcenter");

/**
 * Runs `work` in a span and in the call context `call`, whose `traceparent` becomes the span's: what `work` sends on
 * continues the trace. Where nobody collects traces, the trace context is only passed on as it came.
 */
export async function inSpan<Result>(
  name: string,
  { call, kind, attributes }: SpanOptions & { readonly call: CallContext },
  work: () => Result | Promise<Result>,
): Promise<Result> {
  if (!isCollectingSpans()) return await (call === currentContext() ? work() : withContext(call, work));
  const parent = trace.getActiveSpan() ? context.active() : parentOf(call.traceparent);
  const span = tracer.startSpan(name, { kind: kinds[kind], attributes: attributes ?? {} }, parent);
  const { correlationId, causationId, principal } = call;
  const inside = {
    correlationId,
    causationId,
    principal,
    traceparent: traceparentOfSpan(span) ?? call.traceparent,
  };
  try {
    return await context.with(trace.setSpan(parent, span), () => withContext(inside, work));
  } catch (error) {
    span.setStatus({ code: SpanStatusCode.ERROR, message: messageOf(error) });
    throw error;
  } finally {
    span.end();
  }
}

/** Runs `work` as the agent's own: whatever call and span we are in, neither is the cause of what begins here. */
export function detached<Result>(work: () => Result): Result {
  return context.with(ROOT_CONTEXT, () => withoutContext(work));
}

/** Whether anybody registered to collect spans; the API's own stand-in has nobody to pass them on to. */
export function isCollectingSpans(): boolean {
  const provider = trace.getTracerProvider();
  return !(provider instanceof ProxyTracerProvider) ||
    provider.getDelegateTracer("commandcenter") !== undefined;
}

/** The W3C form of a span's context, for what is to hang below it; undefined for the span of nobody. */
export function traceparentOfSpan(span: Span): string | undefined {
  const { traceId, spanId, traceFlags } = span.spanContext();
  if (/^0+$/.test(traceId)) return undefined;
  return `00-${traceId}-${spanId}-${traceFlags.toString(16).padStart(2, "0")}`;
}

function parentOf(traceparent: string | undefined) {
  const match = traceparent === undefined ? null : /^\w\w-(\w{32})-(\w{16})-(\w\w)/.exec(traceparent);
  if (!match) return ROOT_CONTEXT;
  const [, traceId, spanId, flags] = match;
  return trace.setSpanContext(ROOT_CONTEXT, {
    traceId: traceId!,
    spanId: spanId!,
    traceFlags: parseInt(flags!, 16),
    isRemote: true,
  });
}
