import { expect } from "expect";
import fc from "fast-check";
import { eventDraft } from "../../../tests/support/event_draft.ts";
import { seedLog } from "../../../tests/support/seed_log.ts";
import { startSeededKernel, testOnEveryLog } from "../../../tests/support/seeded_kernel.ts";
import type { TestKernel } from "../../../tests/support/test_kernel.ts";
import type { Draft } from "../log/draft.ts";

interface Node {
  readonly node: number;
  readonly parent: number | null;
  readonly depth: number;
  readonly id: string;
  readonly seq?: number;
  readonly missing?: true;
  readonly truncated?: true;
  readonly cycle?: true;
}

interface Chain {
  readonly root: string;
  readonly asked: number;
  readonly nodes: readonly Node[];
  readonly truncated: { readonly causes: boolean; readonly effects: boolean };
}

function event(
  id: string,
  causationId: string | null,
  { node = "a", project = null as string | null } = {},
): Draft {
  const origin = { nodeId: node, service: "api", user: null };
  return { ...eventDraft(`hub.${node}.demo.made`, { id, causationId, origin, project }), idGiven: true };
}

async function chainOf(kernel: TestKernel, id: string, { query = "", headers = {} } = {}): Promise<Chain> {
  const answer = await kernel.fetch(`/api/events/${encodeURIComponent(id)}/chain?${query}`, { headers });
  const body = await answer.json();
  expect({ status: answer.status, body }).toMatchObject({ status: 200 });
  return body;
}

/** `id` per line, indented by depth, with what is said about it. */
function drawn({ nodes }: Chain): string[] {
  return nodes.map(({ depth, id, missing, truncated, cycle }) =>
    "  ".repeat(depth) + id + (missing ? " missing" : "") + (truncated ? " truncated" : "") +
    (cycle ? " cycle" : "")
  );
}

const order = [
  event("order", null),
  event("payment", "order"),
  event("other", null),
  event("receipt", "payment"),
  event("parcel", "payment"),
  event("refund", "order"),
  event("label", "parcel"),
];

testOnEveryLog("a tree leads from the first cause to all that the asked event caused", async (place) => {
  await using kernel = await startSeededKernel(place, { drafts: order });
  const chain = await chainOf(kernel, "payment");
  expect(drawn(chain)).toEqual(["order", "  payment", "    receipt", "    parcel", "      label"]);
  expect(chain).toMatchObject({ root: "order", asked: 1, truncated: { causes: false, effects: false } });
  expect(chain.nodes.map(({ node, parent }) => [node, parent])).toEqual([[0, null], [1, 0], [2, 1], [3, 1], [
    4,
    3,
  ]]);
  expect(chain.nodes[1]).toEqual({
    node: 1,
    parent: 0,
    depth: 1,
    id: "payment",
    seq: 2,
    subject: "hub.a.demo.made",
    type: "demo.made",
    origin: { node_id: "a", service: "api", user: null },
    project: null,
    correlation_id: "c1",
    causation_id: "order",
    timestamp: "2026-01-01T00:00:00.000Z",
  });
  expect(drawn(await chainOf(kernel, "order"))).toHaveLength(6);
  expect(drawn(await chainOf(kernel, "label"))).toEqual(["order", "  payment", "    parcel", "      label"]);
});

testOnEveryLog("bounds cut the tree where it says so", async (place) => {
  await using kernel = await startSeededKernel(place, { drafts: order });
  const shallow = await chainOf(kernel, "parcel", { query: "depth=1" });
  expect(drawn(shallow)).toEqual(["payment", "  parcel", "    label"]);
  expect(shallow.truncated).toEqual({ causes: true, effects: false });
  const flat = await chainOf(kernel, "order", { query: "depth=1" });
  expect(drawn(flat)).toEqual(["order", "  payment truncated", "  refund"]);
  expect(flat.truncated).toEqual({ causes: false, effects: true });
  expect(drawn(await chainOf(kernel, "order", { query: "limit=2" }))).toEqual([
    "order truncated",
    "  payment truncated",
  ]);
  expect(drawn(await chainOf(kernel, "payment", { query: "limit=1" }))).toEqual(["payment truncated"]);
  expect(drawn(await chainOf(kernel, "refund", { query: "depth=0" }))).toEqual(["refund"]);
  const refused = await Promise.all(
    ["depth=101", "limit=0", "limit=1001", "depth=x", "deep=1"].map((query) =>
      kernel.fetch(`/api/events/order/chain?${query}`)
    ),
  );
  for (const answer of refused) await answer.body?.cancel();
  expect(refused.map(({ status }) => status)).toEqual([422, 422, 422, 422, 422]);
});

testOnEveryLog("causes in a circle come to an end", async (place) => {
  const drafts = [event("hen", "egg"), event("egg", "hen"), event("chick", "egg"), event("self", "self")];
  await using kernel = await startSeededKernel(place, { drafts });
  expect(drawn(await chainOf(kernel, "egg"))).toEqual(["hen cycle", "  egg cycle", "    chick"]);
  expect(drawn(await chainOf(kernel, "hen"))).toEqual(["egg cycle", "  hen cycle"]);
  expect(drawn(await chainOf(kernel, "self"))).toEqual(["self cycle"]);
});

testOnEveryLog("a cause that the log does not have is told as missing", async (place) => {
  await using kernel = await startSeededKernel(place, {
    drafts: [event("b/2", "gone:1"), event("c", "b/2")],
  });
  const chain = await chainOf(kernel, "b/2");
  expect(drawn(chain)).toEqual(["gone:1 missing", "  b/2", "    c"]);
  expect(chain.nodes[0]).toEqual({ node: 0, parent: null, depth: 0, id: "gone:1", missing: true });
  const none = await kernel.fetch("/api/events/gone:1/chain");
  expect({ status: none.status, code: (await none.json()).code }).toEqual({
    status: 404,
    code: "event_not_found",
  });
});

testOnEveryLog("an id that several nodes have means that of the same node, else the first", async (place) => {
  const drafts = [
    event("x", null, { node: "a" }),
    event("x", null, { node: "b" }),
    event("in-a", "x", { node: "a" }),
    event("in-b", "x", { node: "b" }),
    event("in-c", "x", { node: "c" }),
  ];
  await using kernel = await startSeededKernel(place, { drafts });
  expect(drawn(await chainOf(kernel, "x"))).toEqual(["x", "  in-a", "  in-c"]);
  expect(drawn(await chainOf(kernel, "x", { query: "origin=b" }))).toEqual(["x", "  in-b"]);
  expect((await chainOf(kernel, "in-b")).nodes.map(({ seq }) => seq)).toEqual([2, 4]);
  expect((await chainOf(kernel, "in-c")).nodes.map(({ seq }) => seq)).toEqual([1, 5]);
});

testOnEveryLog(
  "a key limited to projects cannot tell what it may not see from what is missing",
  async (place) => {
    const drafts = [
      event("top", null, { project: "red" }),
      event("secret", "top", { project: "blue" }),
      event("mine", "secret", { project: "red" }),
      event("hidden", "mine"),
      event("beyond", "hidden", { project: "red" }),
      event("shown", "mine", { project: "red" }),
    ];
    await using kernel = await startSeededKernel(place, { drafts });
    const created = await kernel.fetch("/api/keys", {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ name: "red", scopes: ["read"], projects: ["red"] }),
    });
    const headers = { authorization: `Bearer ${(await created.json()).key}` };
    const chain = await chainOf(kernel, "mine", { headers });
    expect(drawn(chain)).toEqual(["secret missing", "  mine", "    shown"]);
    expect(chain.nodes[0]).toEqual({ node: 0, parent: null, depth: 0, id: "secret", missing: true });
    expect(JSON.stringify(chain)).not.toContain("hidden");
    expect(drawn(await chainOf(kernel, "top", { headers }))).toEqual(["top"]);
    const foreign = await kernel.fetch("/api/events/secret/chain", { headers });
    expect(foreign.status).toBe(404);
    await foreign.body?.cancel();
    expect(drawn(await chainOf(kernel, "mine"))).toHaveLength(6);
  },
);

testOnEveryLog("a large tree is answered within its bounds, and soon", async (place) => {
  const wide = Array.from({ length: 30_000 }, (_, n) => event(`wide-${n}`, "trunk"));
  const deep = Array.from({ length: 300 }, (_, n) => event(`deep-${n + 1}`, `deep-${n}`));
  await using kernel = await startSeededKernel(place, { drafts: [event("trunk", null), ...wide, ...deep] });
  const broad = await chainOf(kernel, "trunk", { query: "limit=1000" });
  expect(broad.nodes).toHaveLength(1000);
  expect(broad.nodes.filter((node) => node.truncated).map(({ id }) => id)).toEqual(["trunk"]);
  const long = await chainOf(kernel, "deep-150", { query: "depth=100&limit=1000" });
  expect(long.nodes).toHaveLength(201);
  expect(long).toMatchObject({ root: "deep-50", asked: 100, truncated: { causes: true, effects: true } });
});

testOnEveryLog("any tangle of causes gives the tree that its rules describe", async (place) => {
  const ids = ["a", "b", "c", "d", "e", "f"];
  const given = fc.uniqueArray(
    fc.record({
      id: fc.constantFrom(...ids),
      node: fc.constantFrom("x", "y"),
      cause: fc.option(fc.constantFrom(...ids, "gone")),
    }),
    { selector: ({ id, node }) => `${node} ${id}`, minLength: 1, maxLength: 12 },
  );
  await using kernel = await startSeededKernel(place);
  let round = 0;
  await fc.assert(
    fc.asyncProperty(given, async (events) => {
      const prefix = `r${round++}-`;
      const named = events.map((each) => ({
        ...each,
        id: prefix + each.id,
        cause: each.cause === null ? null : prefix + each.cause,
      }));
      await seedLog(place, named.map(({ id, node, cause }) => event(id, cause, { node })));
      for (const each of named) {
        const { nodes, asked } = await chainOf(kernel, each.id, { query: `origin=${each.node}` });
        const found = nodes.map((node) => node.missing ? `missing ${node.id}` : nameOf(node));
        expect(found.slice(0, asked + 1)).toEqual(causesIn(named, each));
        expect(new Set(found).size).toBe(found.length);
        expect(found.slice(asked).toSorted()).toEqual(effectsIn(named, each).toSorted());
      }
    }),
    { numRuns: 25 },
  );
});

interface Given {
  readonly id: string;
  readonly node: string;
  readonly cause: string | null;
}

const name = ({ id, node }: Given) => `${node} ${id}`;
const nameOf = (node: Node) =>
  `${(node as unknown as { origin: { node_id: string } }).origin.node_id} ${node.id}`;

function causeIn(events: readonly Given[], { cause, node }: Given): Given | undefined {
  return events.find((each) => each.id === cause && each.node === node) ??
    events.find((each) => each.id === cause);
}

function causesIn(events: readonly Given[], asked: Given): string[] {
  const path = [name(asked)];
  for (let at = asked; at.cause !== null;) {
    const cause = causeIn(events, at);
    if (!cause) return [`missing ${at.cause}`, ...path];
    if (path.includes(name(cause))) break;
    path.unshift(name(cause));
    at = cause;
  }
  return path;
}

/** The event itself and what it caused, without those that led to it. */
function effectsIn(events: readonly Given[], asked: Given): string[] {
  const above = causesIn(events, asked);
  const found = [asked];
  for (const each of found) {
    found.push(
      ...events.filter((event) =>
        causeIn(events, event) === each && !found.includes(event) && !above.includes(name(event))
      ),
    );
  }
  return found.map(name);
}
