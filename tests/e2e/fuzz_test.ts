import { expect } from "expect";
import fc from "fast-check";
import { type RandomRequest, randomRequest } from "../support/random_requests.ts";
import { type Agent, startAgent } from "../support/run_agent.ts";
import { repository } from "../support/run_cli.ts";
import { within } from "../support/wait_for.ts";

const requests = 10_000;
/** Sent at the same time. */
const batch = 10;
const answerWithinMs = 10_000;
/** What a stack trace or an error of a library looks like. */
const internals =
  /\n\s+at |\bat \S+ \(|\.(ts|mjs|js):\d|file:\/\/|ext:|node_modules|SQLITE_|sqlite3?\b|TypeError|SyntaxError|ZodError/;

/** The status of the answer; fails with the request in hand unless it is an answer that a caller may get. */
async function properAnswer(agent: Agent, request: RandomRequest): Promise<number> {
  const { method, target, headers, body } = request;
  const failed = (what: string) => new Error(`${what} to ${JSON.stringify(request)}`);
  const cut = new AbortController();
  const sent = fetch(agent.url + target, { method, headers, body, signal: cut.signal, redirect: "manual" });
  const answer = await within(sent, {
    what: `an answer to ${JSON.stringify(request)}`,
    timeoutMs: answerWithinMs,
  });
  const { status } = answer;
  const type = answer.headers.get("content-type") ?? "";
  if (status < 400 && /event-stream|javascript/.test(type)) { // endless, or large
    await answer.body?.cancel();
    return status;
  }
  const text = await within(answer.text(), { what: "the rest of the answer", timeoutMs: answerWithinMs });
  if (status >= 500 && status !== 503) throw failed(`${status} ${text}`);
  if (text.includes(agent.dataDir) || text.includes(repository)) {
    throw failed(`a path of this machine in ${text}`);
  }
  if (status < 400 || method === "HEAD") return status;
  if (type !== "application/problem+json") throw failed(`${status} ${type} instead of a problem`);
  const problem = JSON.parse(text);
  const { code, detail, correlation_id } = problem;
  if (problem.status !== status || typeof code !== "string" || typeof detail !== "string") throw failed(text);
  if (correlation_id !== answer.headers.get("x-correlation-id")) {
    throw failed(`another correlation id in ${text}`);
  }
  if (internals.test(detail)) throw failed(`internals in ${text}`);
  return status;
}

Deno.test("10,000 random requests drawn from the API's own description are all answered properly", async () => {
  await using agent = await startAgent({
    config: { log: { level: "warn" }, plugins: { "event-store": {}, metrics: {} } },
  });
  const description = await (await agent.fetch("/openapi.json")).json();
  let answered = 0;
  const statuses = new Set<number>();
  const property = fc.asyncProperty(
    fc.array(randomRequest(description, agent.adminKey), { minLength: batch, maxLength: batch }),
    async (drawn) => {
      for (const status of await Promise.all(drawn.map((request) => properAnswer(agent, request)))) {
        statuses.add(status);
      }
      answered += drawn.length;
    },
  );
  // A failure names the seed and the request; with FUZZ_SEED the same ones are drawn again.
  const seed = Deno.env.get("FUZZ_SEED");
  await fc.assert(property, {
    numRuns: requests / batch,
    endOnFailure: true,
    ...(seed === undefined ? {} : { seed: Number(seed) }),
  });
  expect(answered).toBe(requests);
  const { checks } = await (await agent.fetch("/health")).json();
  expect(checks.filter(({ status }: { status: string }) => status !== "up")).toEqual([]);
  // What was drawn reached every kind of answer, from stored to refused.
  for (const status of [200, 201, 204, 400, 401, 403, 404, 405, 409, 415, 422, 426]) {
    expect([...statuses]).toContain(status);
  }
  expect(await agent.stop()).toBe(0);
  expect(agent.output().split("\n").filter((line) => /"level":"error"|unexpected|[Uu]ncaught/.test(line)))
    .toEqual([]);
});
