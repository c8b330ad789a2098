import { expect } from "expect";
import { startTestKernel, type TestKernel } from "../../../tests/support/test_kernel.ts";
import eventStore from "../plugin.ts";

async function startWithEvents(count: number): Promise<TestKernel> {
  const kernel = await startTestKernel({ plugins: [eventStore], nodeId: "here" });
  await Promise.all(Array.from({ length: count }, async (_, index) => {
    const response = await kernel.fetch("/api/events", {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({
        subject: index % 2 ? "demo.odd" : "demo.even",
        payload: { index },
        project: index % 3 ? undefined : "third",
      }),
    });
    await response.body?.cancel();
  }));
  return kernel;
}

async function get(kernel: TestKernel, path: string) {
  const response = await kernel.fetch(path);
  return { status: response.status, body: await response.json() };
}

Deno.test("lists are found by subject, type, project and time", async () => {
  await using kernel = await startWithEvents(12);
  const table: [string, number][] = [
    ["", 12],
    ["subject=demo.odd", 6],
    ["subject=demo.*", 12],
    ["subject=hub.here.demo.even", 6],
    ["subject=hub.*.*.even", 6],
    ["subject=hub.*.*", 0],
    ["subject=>", 12],
    ["subject=*", 0],
    ["subject=demo", 0],
    ["type=demo.even", 6],
    ["type=*.even", 6],
    ["project=third", 4],
    ["project=none", 0],
    ["origin=here", 12],
    ["origin=there", 0],
    ["since=1h", 12],
    ["until=1h", 0],
    ["since=2020-01-01T00:00:00Z&until=2020-01-02T00:00:00Z", 0],
    ["after_seq=10", 2],
    ["after_seq=99", 0],
    ["limit=5", 5],
  ];
  for (const [query, expected] of table) {
    const { status, body } = await get(kernel, `/api/events?${query}`);
    expect({ query, status, found: body.items?.length }).toEqual({ query, status: 200, found: expected });
  }
});

Deno.test("pages follow each other to the end, in both orders, while more is stored", async () => {
  await using kernel = await startWithEvents(25);
  for (const order of ["asc", "desc"]) {
    const seqs: number[] = [];
    let next: string | null = "";
    while (next !== null) {
      const cursor: string = next === "" ? "" : `&cursor=${encodeURIComponent(next)}`;
      const { body } = await get(kernel, `/api/events?type=demo.even&limit=4&order=${order}${cursor}`);
      seqs.push(...body.items.map((item: { seq: number }) => item.seq));
      next = body.next;
    }
    expect(seqs).toHaveLength(13);
    expect(seqs).toEqual(seqs.toSorted((a, b) => order === "asc" ? a - b : b - a));
  }
});

Deno.test("bad parameters are named", async () => {
  await using kernel = await startWithEvents(1);
  const table: [string, string][] = [
    ["limit=0", "query.limit"],
    ["limit=1001", "query.limit"],
    ["limit=x", "query.limit"],
    ["since=xh", "query.since"],
    ["since=2020-01-01", "query.since"],
    ["order=up", "query.order"],
    ["after_seq=-1", "query.after_seq"],
    ["subject=a..b", "query.subject"],
    ["subject=%25", "query.subject"],
    ["subject=a.>.b", "query.subject"],
    ["cursor=nonsense", "cursor"],
    ["subjct=demo.odd", "subjct"],
  ];
  for (const [query, place] of table) {
    const { status, body } = await get(kernel, `/api/events?${query}`);
    expect({ query, status, names: JSON.stringify(body).includes(place) }).toEqual({
      query,
      status: 422,
      names: true,
    });
  }
  expect(await get(kernel, "/api/events/unknown")).toMatchObject({
    status: 404,
    body: { code: "event_not_found" },
  });
});

Deno.test("statistics tell the size of the log and that the relay keeps up", async () => {
  await using kernel = await startWithEvents(7);
  const { status, body } = await get(kernel, "/api/events/stats");
  expect(status).toBe(200);
  expect(body).toMatchObject({
    events: 7,
    first_seq: 1,
    last_seq: 7,
    storage: "sqlite",
    relay: { parked: 0, problem: null },
    stream_clients: 0,
  });
});
