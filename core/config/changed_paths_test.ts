import { expect } from "expect";
import fc from "fast-check";
import { Secret } from "../secret.ts";
import { changedPaths } from "./changed_paths.ts";

Deno.test("what is the same in all its parts has not changed", () => {
  fc.assert(fc.property(fc.jsonValue(), (value) => {
    expect(changedPaths(value, structuredClone(value))).toEqual([]);
  }));
});

Deno.test("each changed value is named by its path, a list as a whole", () => {
  const before = {
    http: { port: 1, allowed_hosts: ["a"], limits: { per_key: null } },
    bus: { url: "memory:" },
  };
  const after = { http: { port: 2, allowed_hosts: ["b"], limits: { per_key: {} } }, bus: { url: "memory:" } };
  expect(changedPaths(before, after)).toEqual(["http.port", "http.allowed_hosts", "http.limits.per_key"]);
  expect(changedPaths({ a: 1 }, { b: undefined, c: [] })).toEqual(["a", "c"]);
  expect(changedPaths([{ slug: "a" }], [{ slug: "b" }], ["projects"])).toEqual(["projects"]);
});

Deno.test("secrets are compared by what they hide", () => {
  expect(changedPaths({ token: new Secret("a") }, { token: new Secret("a") })).toEqual([]);
  expect(changedPaths({ token: new Secret("a") }, { token: new Secret("b") })).toEqual(["token"]);
  expect(changedPaths({ token: new Secret("a") }, { token: "a" })).toEqual(["token"]);
});

Deno.test("what schemas make of text is compared by what it says; anything unknown counts as changed", () => {
  const parsed = () => ({ at: new Date(5), pattern: /a/g, url: new URL("http://x/"), set: new Set([1]) });
  expect(changedPaths(parsed(), parsed())).toEqual([]);
  const other = { at: new Date(6), pattern: /a/, url: new URL("http://y/"), set: new Set([2]) };
  expect(changedPaths(parsed(), other)).toEqual(["at", "pattern", "url", "set"]);
  expect(changedPaths({ one: () => 1, map: new Map([[1, 2]]) }, { one: () => 1, map: new Set([[1, 2]]) }))
    .toEqual(["one", "map"]);
});
