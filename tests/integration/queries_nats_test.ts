import { expect } from "expect";
import { z } from "zod";
import { currentContext, withContext } from "../../core/context.ts";
import { Problem } from "../../core/errors.ts";
import { definePlugin, type Host, type Plugin } from "../../core/plugin.ts";
import { defineEvent } from "../../core/events.ts";
import { defineQuery } from "../../core/queries.ts";
import { type NatsServer, startNatsServer } from "../support/nats_server.ts";
import { startTestKernel, type TestKernel } from "../support/test_kernel.ts";
import { testWithNats } from "../support/test_with.ts";
import { waitFor, within } from "../support/wait_for.ts";

const shout = defineQuery("loud.shout", { ask: z.string().min(1), answer: z.string() });
const context = defineQuery("loud.context", {
  ask: z.null(),
  answer: z.strictObject({ correlationId: z.string(), traceparent: z.string().nullable() }),
});
const refuse = defineQuery("loud.refuse", { ask: z.null(), answer: z.null() });
const stumble = defineQuery("loud.stumble", { ask: z.null(), answer: z.null() });
const never = defineQuery("loud.never", { ask: z.null(), answer: z.null() });
const rang = defineEvent("bell.rang", z.strictObject({ n: z.int() }));

/** Lends its host to the test; on node `hub-b` it answers. */
function plugin(onStart: (host: Host) => void): Plugin {
  return definePlugin({
    name: "loud",
    summary: "Test plugin",
    config: z.strictObject({}),
    prefixes: [],
    start: onStart,
  });
}

function answerEverything(host: Host): void {
  host.answer(shout, (text) => text.toUpperCase());
  host.answer(context, () => {
    const { correlationId, traceparent = null } = currentContext()!;
    return { correlationId, traceparent };
  });
  host.answer(refuse, () => {
    throw new Problem(409, "too_late", { detail: "The doors are closed", extras: { since: "noon" } });
  });
  host.answer(stumble, () => {
    throw new Error("the password is hunter2");
  });
  host.answer(never, () => new Promise(() => {}));
}

interface TwoHosts extends AsyncDisposable {
  readonly a: Host;
  readonly b: Host;
  readonly kernelB: TestKernel;
}

/** Two agents on one NATS server: `hub-a` asks, `hub-b` answers. */
async function startTwoHosts(server: NatsServer, onB: (host: Host) => void): Promise<TwoHosts> {
  await using stack = new AsyncDisposableStack();
  let a!: Host;
  let b!: Host;
  stack.use(
    await startTestKernel({ plugins: [plugin((host) => a = host)], nodeId: "hub-a", busUrl: server.url }),
  );
  const onStart = (host: Host) => {
    b = host;
    onB(host);
  };
  const kernelB = stack.use(
    await startTestKernel({ plugins: [plugin(onStart)], nodeId: "hub-b", busUrl: server.url }),
  );
  const started = stack.move();
  return { a, b, kernelB, [Symbol.asyncDispose]: () => started.disposeAsync() };
}

const onB = { node: "hub-b" };

testWithNats("a query across hosts is answered, with the caller's correlation id and trace", async () => {
  await using server = await startNatsServer();
  await using hosts = await startTwoHosts(server, answerEverything);
  const { a } = hosts;
  await waitFor(async () => await a.ask(shout, "hello", onB) === "HELLO", { what: "the first answer" });
  const traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
  const answers = await Promise.all(
    ["one", "two"].map((correlationId) =>
      withContext({ correlationId, traceparent }, () => a.ask(context, null, onB))
    ),
  );
  expect(answers).toEqual([
    { correlationId: "one", traceparent },
    { correlationId: "two", traceparent },
  ]);
});

testWithNats(
  "errors come back across hosts with their type, and only those meant for the caller",
  async () => {
    await using server = await startNatsServer();
    await using hosts = await startTwoHosts(server, answerEverything);
    const { a } = hosts;
    await waitFor(async () => await a.ask(shout, "hello", onB) === "HELLO", { what: "the first answer" });
    const refusal = await a.ask(refuse, null, onB).catch((error) => error);
    expect(refusal).toBeInstanceOf(Problem);
    expect(refusal).toMatchObject({
      status: 409,
      code: "too_late",
      message: "The doors are closed",
      extras: { since: "noon" },
    });
    const internal = await a.ask(stumble, null, onB).catch((error) => error);
    expect(internal).toMatchObject({ status: 500, code: "internal_error" });
    expect(JSON.stringify([internal.message, internal.extras])).not.toContain("hunter2");
    await expect(a.ask(shout, "", onB)).rejects.toMatchObject({ status: 422, code: "invalid_question" });
  },
);

testWithNats("a query across hosts ends with its deadline, and at once where nobody answers", async () => {
  await using server = await startNatsServer();
  await using hosts = await startTwoHosts(server, answerEverything);
  const { a, kernelB } = hosts;
  await waitFor(async () => await a.ask(shout, "hello", onB) === "HELLO", { what: "the first answer" });
  const unanswered = a.ask(never, null, { ...onB, timeoutMs: 100 }).catch((error) => error);
  const late = await within(unanswered, { what: "the deadline", timeoutMs: 4000 });
  expect(late).toMatchObject({ status: 504, code: "deadline_exceeded" });
  await expect(a.ask(shout, "hello", { node: "hub-c" })).rejects.toMatchObject({
    status: 404,
    code: "no_responder",
  });
  await kernelB.stopPlugin("loud");
  await expect(a.ask(shout, "hello", onB)).rejects.toMatchObject({ code: "no_responder" });
  await kernelB.startPlugin("loud");
  await waitFor(async () => await a.ask(shout, "again", onB) === "AGAIN", { what: "the answer again" });
});

testWithNats("a handler that never answers holds no place for longer than its asker waits", async () => {
  await using server = await startNatsServer();
  await using hosts = await startTwoHosts(server, answerEverything);
  const { a } = hosts;
  await waitFor(async () => await a.ask(shout, "hello", onB) === "HELLO", { what: "the first answer" });
  const asked = Array.from({ length: 200 }, () => a.ask(never, null, { ...onB, timeoutMs: 100 }));
  const results = await within(Promise.allSettled(asked), { what: "the deadlines", timeoutMs: 5000 });
  expect(results.every(({ status }) => status === "rejected")).toBe(true);
  expect(await a.ask(shout, "still there", { ...onB, timeoutMs: 2000 })).toBe("STILL THERE");
});

testWithNats("queries fail at once while NATS is away, and are answered again after it", async () => {
  await using server = await startNatsServer();
  await using hosts = await startTwoHosts(server, answerEverything);
  const { a } = hosts;
  await waitFor(async () => await a.ask(shout, "hello", onB) === "HELLO", { what: "the first answer" });
  await server.kill();
  await waitFor(
    async () => (await a.ask(shout, "hello", onB).catch((error) => error)).code === "bus_unavailable",
    {
      what: "the refusal",
    },
  );
  await server.restart();
  await waitFor(async () => await a.ask(shout, "back", onB) === "BACK", {
    what: "the answer after the outage",
  });
});

testWithNats("events reach the other host's subscription, each side knowing whose they are", async () => {
  await using server = await startNatsServer();
  const seen: { kind: string; n: number; node: string; correlationId: string }[] = [];
  await using hosts = await startTwoHosts(server, (host) => {
    answerEverything(host);
    for (
      const [kind, options] of [["any", { from: "any-host" }], ["own", {}], ["kept", {
        from: "any-host",
        durable: "kept",
      }]] as const
    ) {
      host.subscribe(rang, ({ n }, { origin, correlationId }) => {
        seen.push({ kind, n, node: origin.nodeId, correlationId });
      }, options);
    }
  });
  const { a, b } = hosts;
  // An answer tells that the server knows of the subscriptions, which were sent before.
  await waitFor(async () => await a.ask(shout, "hello", onB) === "HELLO", { what: "the first answer" });
  await withContext({ correlationId: "call-1" }, () => a.publish(rang, { n: 1 }));
  await b.publish(rang, { n: 2 }, { correlationId: "call-2" });
  await waitFor(() => seen.length >= 5, { what: "five deliveries" });
  const sorted = seen.map(({ kind, n, node, correlationId }) => `${kind} ${n} ${node} ${correlationId}`)
    .sort();
  expect(sorted).toEqual([
    "any 1 hub-a call-1",
    "any 2 hub-b call-2",
    "kept 1 hub-a call-1",
    "kept 2 hub-b call-2",
    "own 2 hub-b call-2",
  ]);
});
