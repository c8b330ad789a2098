import { z } from "zod";
import { definePlugin, type Host, type Plugin } from "../../core/plugin.ts";
import eventStore from "../../plugins/event-store/plugin.ts";
import { createDatabase } from "./postgres.ts";
import { startTestKernel, type TestKernel, type TestKernelOptions } from "./test_kernel.ts";
import { testWithPostgres } from "./test_with.ts";
import { waitFor } from "./wait_for.ts";

/** What a test declares on the host of its one plugin. */
export type Declare = (host: Host) => void;

/** A kernel with the event-store and one plugin, `worker`. */
export interface JobKernel extends TestKernel {
  /** The host of `worker`. */
  readonly host: Host;
  /** A job as the API shows it. */
  // deno-lint-ignore no-explicit-any -- answers of any shape, which the tests look into
  job(id: string): Promise<any>;
  /** The job, once it is in that state. */
  // deno-lint-ignore no-explicit-any -- as above
  reach(id: string, state: string): Promise<any>;
  /** A POST to a route about a job. */
  // deno-lint-ignore no-explicit-any -- as above
  post(path: string): Promise<{ status: number; body: any }>;
  /** Types of the events about a job, in their order. */
  news(id: string): Promise<string[]>;
}

type JobKernelOptions = Partial<Omit<TestKernelOptions, "plugins">> & { readonly withoutEvents?: boolean };

/** Boots a kernel whose plugin `worker` declares what it is given. */
export async function startJobKernel(declare: Declare, options: JobKernelOptions = {}): Promise<JobKernel> {
  const { withoutEvents = false, ...rest } = options;
  let host: Host | undefined;
  const worker = definePlugin({
    name: "worker",
    summary: "Works",
    config: z.strictObject({}),
    prefixes: [],
    start: (lent) => declare(host = lent as Host),
  });
  const plugins: Plugin[] = withoutEvents ? [worker] : [eventStore, worker];
  const kernel = await startTestKernel({ ...rest, plugins });
  const job = async (id: string) => await (await kernel.fetch(`/api/jobs/${id}`)).json();
  return {
    ...kernel,
    get host() {
      return host!;
    },
    job,
    reach: (id, state) =>
      waitFor(async () => {
        const found = await job(id);
        return found.state === state && found;
      }, { what: `the job to be ${state}` }),
    post: async (path) => {
      const answer = await kernel.fetch(path, { method: "POST" });
      return { status: answer.status, body: await answer.json() };
    },
    news: async (id) => {
      const { items } = await (await kernel.fetch("/api/events?type=job.*&order=asc&limit=1000")).json();
      return items.filter((event: { payload: { job_id: string } }) => event.payload.job_id === id)
        .map((event: { type: string }) => event.type);
    },
  };
}

/** Registers a test twice: with a fresh SQLite file and with a fresh PostgreSQL database. */
export function testJobs(name: string, run: (place: { storageUrl: string }) => Promise<void>): void {
  Deno.test(`${name} (sqlite)`, () => run({ storageUrl: "sqlite:" }));
  testWithPostgres(`${name} (postgres)`, async () => {
    await using database = await createDatabase();
    await run({ storageUrl: database.url });
  });
}
