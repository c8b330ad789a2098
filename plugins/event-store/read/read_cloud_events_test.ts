import { expect } from "expect";
import { send, testNodeId, testOnEveryKernel } from "../../../tests/support/every_kernel.ts";
import type { TestKernel } from "../../../tests/support/test_kernel.ts";

const one = "application/cloudevents+json";
const many = "application/cloudevents-batch+json";

function get(kernel: TestKernel, path: string, accept?: string): Promise<Response> {
  return kernel.fetch(path, accept === undefined ? {} : { headers: { accept } });
}

testOnEveryKernel(
  "lists come as CloudEvents where asked for, and tell of the next page in Link",
  async (kernel) => {
    await send(
      kernel,
      "/api/events/batch",
      Array.from({ length: 25 }, (_, n) => ({ subject: "demo.made", payload: { n } })),
    );
    let path = "/api/events?limit=10&order=desc&subject=demo.>";
    const events: { sequence: string; data: { n: number } }[] = [];
    for (let pages = 1;; pages++) {
      const response = await get(kernel, path, many);
      expect(response.headers.get("content-type")).toBe(many);
      expect(response.headers.get("vary")).toBe("accept");
      events.push(...await response.json());
      const link = response.headers.get("link");
      if (link === null) {
        expect(pages).toBe(3);
        break;
      }
      path = /^<(.+)>; rel="next"$/.exec(link)![1]!;
    }
    expect(events.map(({ sequence, data }) => [Number(sequence), data.n]))
      .toEqual(Array.from({ length: 25 }, (_, index) => [25 - index, 24 - index]));
    expect(events[0]).toEqual({
      specversion: "1.0",
      id: expect.any(String),
      source: `/hub/${testNodeId}/api`,
      type: "demo.made",
      time: expect.stringMatching(/Z$/),
      datacontenttype: "application/json",
      correlationid: expect.any(String),
      authid: expect.any(String),
      sequence: "25",
      data: { n: 24 },
    });
  },
);

testOnEveryKernel("anything else that a caller accepts is answered as before", async (kernel) => {
  await send(kernel, "/api/events", { subject: "demo.made", payload: {}, id: "x" });
  const table: [string | undefined, string, string][] = [
    [undefined, "application/json", "application/json"],
    ["*/*", "application/json", "application/json"],
    ["application/*", "application/json", "application/json"],
    ["text/html", "application/json", "application/json"],
    [`${one};q=0.5, application/json`, "application/json", "application/json"],
    [`${one}, application/json;q=0.5`, one, "application/json"],
    [`text/html, ${many};q=0.9, */*;q=0.1`, "application/json", many],
  ];
  for (const [accept, single, list] of table) {
    const answers = await Promise.all([
      get(kernel, "/api/events/x", accept),
      get(kernel, "/api/events", accept),
    ]);
    expect({ accept, types: answers.map((answer) => answer.headers.get("content-type")) })
      .toEqual({ accept, types: [single, list] });
    for (const answer of answers) await answer.body?.cancel();
  }
});

testOnEveryKernel("an id that is also a path is found by the list", async (kernel) => {
  for (const id of ["stats", "sse", "batch"]) {
    await send(kernel, "/api/events", { subject: "demo.made", payload: { id }, id });
    const { items } = await (await get(kernel, `/api/events?id=${id}`)).json();
    expect(items).toMatchObject([{ id, payload: { id } }]);
  }
  expect((await (await get(kernel, "/api/events?id=none")).json()).items).toEqual([]);
});
