import { expect } from "expect";
import { startAgent } from "../support/run_agent.ts";
import { waitFor } from "../support/wait_for.ts";

interface OtlpSpan {
  readonly traceId: string;
  readonly spanId: string;
  readonly parentSpanId: string;
  readonly name: string;
}

interface OtlpBody {
  readonly resourceSpans: readonly {
    readonly scopeSpans: readonly { readonly spans: readonly OtlpSpan[] }[];
  }[];
}

const traceId = "0af7651916cd43dd8448eb211c80319c";
const traceparent = `00-${traceId}-b7ad6b7169203331-01`;

Deno.test("with OTEL_DENO=true the request's span arrives at a collector, in the caller's trace", async () => {
  const spans: OtlpSpan[] = [];
  const collector = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen: () => {} }, async (request) => {
    const body = await request.json() as OtlpBody;
    for (const resource of body.resourceSpans ?? []) {
      for (const scope of resource.scopeSpans) spans.push(...scope.spans);
    }
    return Response.json({});
  });
  {
    await using agent = await startAgent({
      config: { plugins: { "event-store": {} } },
      env: {
        OTEL_DENO: "true",
        OTEL_EXPORTER_OTLP_PROTOCOL: "http/json",
        OTEL_EXPORTER_OTLP_ENDPOINT: `http://127.0.0.1:${collector.addr.port}`,
        OTEL_BSP_SCHEDULE_DELAY: "200",
      },
    });
    const answer = await agent.fetch("/api/events", {
      method: "POST",
      headers: { "content-type": "application/json", traceparent },
      body: JSON.stringify({ subject: "demo.traced", payload: {} }),
    });
    expect(answer.status).toBe(201);
    await answer.body?.cancel();
    await waitFor(() => spans.some((span) => span.traceId === traceId), {
      what: "the span at the collector",
    });
    await waitFor(() => spans.filter((span) => span.traceId === traceId).length >= 2, { what: "both spans" });
    const request = spans.find((span) => span.traceId === traceId && span.name === "POST /api/events")!;
    const publish = spans.find((span) => span.traceId === traceId && span.name === "publish demo.traced")!;
    expect([request.parentSpanId, publish.parentSpanId]).toEqual(["b7ad6b7169203331", request.spanId]);
    const { items: [event] } = await (await agent.fetch("/api/events?type=demo.traced")).json();
    expect(event.type).toBe("demo.traced");
  }
  await collector.shutdown();
});
