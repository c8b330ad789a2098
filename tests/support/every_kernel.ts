import eventStore from "../../plugins/event-store/plugin.ts";
import { createDatabase } from "./postgres.ts";
import { startTestKernel, type TestKernel } from "./test_kernel.ts";
import { testWithPostgres } from "./test_with.ts";

/** Node id of these kernels. */
export const testNodeId = "hub-1a2b3c4d5e6f";

/** Registers a test of a kernel with the event-store twice: on a fresh SQLite file and on a fresh PostgreSQL database. */
export function testOnEveryKernel(
  name: string,
  run: (kernel: TestKernel) => Promise<void>,
  settings: Readonly<Record<string, unknown>> = {},
): void {
  const start = async (storageUrl: string) => {
    await using kernel = await startTestKernel({
      plugins: [eventStore],
      settings: { "event-store": settings },
      storageUrl,
      nodeId: testNodeId,
    });
    await run(kernel);
  };
  Deno.test(`${name} (sqlite)`, () => start("sqlite:"));
  testWithPostgres(`${name} (postgres)`, async () => {
    await using database = await createDatabase();
    await start(database.url);
  });
}

/** Sends a body with the admin key, as JSON unless it is text; the answer, parsed. */
export async function send(
  kernel: TestKernel,
  path: string,
  body: unknown,
  headers: Readonly<Record<string, string>> = {},
  // deno-lint-ignore no-explicit-any -- answers of any shape, which the tests look into
): Promise<{ status: number; headers: Headers; body: any }> {
  const response = await kernel.fetch(path, {
    method: "POST",
    headers: { "content-type": "application/json", ...headers },
    body: typeof body === "string" ? body : JSON.stringify(body),
  });
  return { status: response.status, headers: response.headers, body: await response.json() };
}

/** All events of the log, as the API shows them. */
export async function allEvents(kernel: TestKernel): Promise<Record<string, unknown>[]> {
  const events: Record<string, unknown>[] = [];
  for (let cursor = "";;) {
    const { items, next } = await (await kernel.fetch(`/api/events?limit=1000${cursor}`)).json();
    events.push(...items);
    if (next === null) return events;
    cursor = `&cursor=${next}`;
  }
}
