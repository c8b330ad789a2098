import { expect } from "expect";
import eventStore from "../../plugins/event-store/plugin.ts";
import { startTestKernel, type TestKernel } from "./test_kernel.ts";

/** Where consumers are. */
export const base = "/api/events/consumers";

/** What a fetch answers with. */
export interface Fetched {
  readonly items: readonly {
    readonly token: string;
    readonly attempt: number;
    readonly event: { readonly seq: number };
  }[];
}

/** An answer with its body as JSON. */
export interface Answer {
  readonly status: number;
  // deno-lint-ignore no-explicit-any -- what it looks like is what the tests are about
  readonly body: any;
}

/** An agent with nothing but the event-store. */
export const start = (settings: Record<string, unknown> = {}): Promise<TestKernel> =>
  startTestKernel({ plugins: [eventStore], settings: { "event-store": settings } });

/** One request, with the admin key unless another one is given. */
export async function call(
  kernel: TestKernel,
  method: string,
  path: string,
  options: { body?: unknown; key?: string } = {},
): Promise<Answer> {
  const headers: Record<string, string> = { "content-type": "application/json" };
  if (options.key !== undefined) headers.authorization = `Bearer ${options.key}`;
  const response = await kernel.fetch(path, {
    method,
    headers,
    ...(options.body === undefined ? {} : { body: JSON.stringify(options.body) }),
  });
  const text = await response.text();
  return { status: response.status, body: text === "" ? undefined : JSON.parse(text) };
}

/** `POST` to a route of a consumer, such as `billing/fetch`. */
export const post = (kernel: TestKernel, path: string, body: unknown = {}, key?: string): Promise<Answer> =>
  call(kernel, "POST", `${base}/${path}`, { body, ...(key === undefined ? {} : { key }) });

/** Makes or changes a consumer. */
export const put = (kernel: TestKernel, name: string, body: unknown, key?: string): Promise<Answer> =>
  call(kernel, "PUT", `${base}/${name}`, { body, ...(key === undefined ? {} : { key }) });

/** Publishes events with the payloads {n: 1}, {n: 2} … */
export async function publish(
  kernel: TestKernel,
  count: number,
  more: Record<string, unknown> = {},
): Promise<void> {
  for (let n = 1; n <= count; n++) {
    const body = { subject: "demo.created", payload: { n }, ...more };
    expect((await call(kernel, "POST", "/api/events", { body })).status).toBe(201);
  }
}

/** What a fetch brings. */
export async function fetchSome(
  kernel: TestKernel,
  name: string,
  body: unknown = {},
): Promise<Fetched["items"]> {
  const answer = await post(kernel, `${name}/fetch`, body);
  expect(answer.status).toBe(200);
  return (answer.body as Fetched).items;
}

/** A new key. */
export async function keyFor(kernel: TestKernel, scopes: string[], projects?: string[]): Promise<string> {
  const { body } = await call(kernel, "POST", "/api/keys", { body: { name: "k", scopes, projects } });
  return body.key;
}
