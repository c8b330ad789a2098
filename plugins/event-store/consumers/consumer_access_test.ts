import { expect } from "expect";
import {
  base,
  call,
  fetchSome,
  keyFor,
  post,
  publish,
  put,
  start,
} from "../../../tests/support/consumer_calls.ts";

Deno.test("a key that is limited to projects has consumers of its own, which get its projects' events", async () => {
  await using kernel = await start();
  await publish(kernel, 1, { project: "one" });
  await publish(kernel, 1, { project: "two" });
  await publish(kernel, 1);
  const one = await keyFor(kernel, ["write"], ["one"]);
  const both = await keyFor(kernel, ["write"], ["one", "two"]);
  const reader = await keyFor(kernel, ["read"]);
  await put(kernel, "all", { subject: ">", start: "first" });
  expect((await put(kernel, "ours", { subject: ">", start: "first" }, one)).body).toMatchObject({
    projects: ["one"],
  });
  await put(kernel, "wide", { subject: ">", start: "first" }, both);
  expect((await post(kernel, "ours/fetch", {}, one)).body.items).toMatchObject([{ event: { seq: 1 } }]);
  const names = async (key?: string) =>
    (await call(kernel, "GET", base, key === undefined ? {} : { key })).body.items
      .map(({ name }: { name: string }) => name);
  expect([await names(), await names(one), await names(both)])
    .toEqual([["all", "ours", "wide"], ["ours"], ["ours", "wide"]]);
  for (const path of ["all/fetch", "wide/fetch", "wide/pause", "wide/dead-letters/replay"]) {
    expect([path, (await post(kernel, path, {}, one)).status]).toEqual([path, 404]);
  }
  expect((await put(kernel, "all", { subject: ">" }, one)).body).toMatchObject({ code: "consumer_exists" });
  expect((await call(kernel, "DELETE", `${base}/wide`, { key: one })).status).toBe(404);
  expect((await call(kernel, "GET", `${base}/all`, { key: reader })).status).toBe(200);
  for (const path of ["all/fetch", "all/pause", "all/dead-letters/replay"]) {
    expect([path, (await post(kernel, path, {}, reader)).status]).toEqual([path, 403]);
  }
});

Deno.test("whatever cannot be understood is told by name", async () => {
  await using kernel = await start({ consumers: { max: 2 } });
  await publish(kernel, 1);
  const good = { subject: ">" };
  await put(kernel, "c", { ...good, start: "first" });
  const [{ token } = { token: "" }] = await fetchSome(kernel, "c");
  const bad: [string, string, unknown, number, string][] = [
    ["PUT", "with space", good, 422, "path.name"],
    ["PUT", "a.b", good, 422, "path.name"],
    ["PUT", "x".repeat(101), good, 422, "path.name"],
    ["PUT", "d", {}, 422, "body.subject"],
    ["PUT", "d", { subject: "a..b" }, 422, "body.subject"],
    ["PUT", "d", { ...good, ack_wait: "30" }, 422, "body.ack_wait"],
    ["PUT", "d", { ...good, ack_wait: "2d" }, 422, "body.ack_wait"],
    ["PUT", "d", { ...good, max_deliveries: 0 }, 422, "body.max_deliveries"],
    ["PUT", "d", { ...good, max_in_flight: 10_001 }, 422, "body.max_in_flight"],
    ["PUT", "d", { ...good, start: "last" }, 422, "body.start"],
    ["PUT", "d", { ...good, start: { seq: 0 } }, 422, "body.start"],
    ["PUT", "d", { ...good, start: { time: "soon" } }, 422, "body.start"],
    ["PUT", "d", { ...good, start: { seq: 3 } }, 409, "beyond_end"],
    ["PUT", "d", { ...good, color: "red" }, 422, "body"],
    ["GET", "../consumers?limit=0", undefined, 422, "query.limit"],
    ["GET", "../consumers?cursor=abc", undefined, 422, "invalid_cursor"],
    ["GET", "nobody", undefined, 404, "consumer_not_found"],
    ["DELETE", "nobody", undefined, 404, "consumer_not_found"],
    ["POST", "nobody/fetch", {}, 404, "consumer_not_found"],
    ["POST", "c/fetch", { limit: 1001 }, 422, "body.limit"],
    ["POST", "c/fetch", { wait: "31s" }, 422, "body.wait"],
    ["POST", "c/fetch", { wait: 5 }, 422, "body.wait"],
    ["POST", "c/ack", {}, 422, "body.tokens"],
    ["POST", "c/ack", { tokens: [] }, 422, "body.tokens"],
    ["POST", "c/ack", { tokens: ["1.nonsense"] }, 422, "body.tokens"],
    ["POST", "c/ack", { tokens: [token.replace(/^\d+/, "9999999999999999")] }, 422, "body.tokens"],
    ["POST", "c/ack", { tokens: Array(1001).fill(token) }, 422, "body.tokens"],
    ["POST", "c/nak", { tokens: [token], delay: "8d" }, 422, "body.delay"],
    ["POST", "c/nak", { tokens: [token], error: "x".repeat(2001) }, 422, "body.error"],
    ["POST", "c/extend", { tokens: [token], ack_wait: "0s" }, 422, "body.ack_wait"],
    ["POST", "c/dead-letters/replay", { seqs: [] }, 422, "body.seqs"],
    ["POST", "c/dead-letters/replay", { seqs: ["1"] }, 422, "body.seqs"],
    ["GET", "c/dead-letters?cursor=abc", undefined, 422, "invalid_cursor"],
    ["DELETE", "c/dead-letters/0", undefined, 422, "path.seq"],
  ];
  for (const [method, path, body, status, where] of bad) {
    const answer = await call(kernel, method, `${base}/${path}`, { body });
    const { code, errors = [] } = answer.body;
    const told = [code, ...errors.map((error: { path: string }) => error.path)].join(" ");
    expect([method, path, body, answer.status, told.includes(where) || told])
      .toEqual([method, path, body, status, true]);
  }
  expect((await put(kernel, "d", good)).status).toBe(201);
  expect(await put(kernel, "e", good)).toMatchObject({ status: 409, body: { code: "too_many_consumers" } });
});
