import { expect } from "expect";
import { currentContext } from "./context.ts";
import { inSpan } from "./trace.ts";

const call = {
  correlationId: "c1",
  causationId: "e1",
  traceparent: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
};

Deno.test("where nobody collects traces, the trace context is passed on as it came", async () => {
  expect(await inSpan("test", { call, kind: "client" }, () => currentContext())).toEqual(call);
  const untraced = { correlationId: "c2" };
  expect(await inSpan("test", { call: untraced, kind: "client" }, () => currentContext())).toEqual({
    ...untraced,
    traceparent: undefined,
  });
});

Deno.test("what the work throws comes through as it is", async () => {
  const error = new Error("no luck");
  await expect(inSpan("test", { call, kind: "server" }, () => Promise.reject(error))).rejects.toBe(error);
});
