import { createRoute } from "@hono/zod-openapi";
import { expect } from "expect";
import { join } from "node:path";
import { z } from "zod";
import { reloadAgent } from "../../core/cli/reload_agent.ts";
import { definePlugin, type Host, type Plugin } from "../../core/plugin.ts";
import { defineQuery } from "../../core/queries.ts";
import { secretText } from "../../core/secret.ts";
import { recordTerminal } from "../support/record_terminal.ts";
import { startReloadableKernel } from "../support/reloadable_kernel.ts";
import { waitFor } from "../support/wait_for.ts";

const settings = z.strictObject({
  text: z.string().default("hello"),
  token: secretText().optional(),
  fails: z.enum(["never", "start", "doors"]).default("never"),
});
const whoAsks = defineQuery("taken.name", { ask: z.null(), answer: z.null() });

/** A plugin that shows its text at `/api/<name>`, notes its starts and ends, and fails where it is told to. */
function shown(name: string, notes: string[] = [], more: (host: Host) => void = () => {}): Plugin {
  return definePlugin({
    name,
    summary: `Test plugin ${name}`,
    config: settings,
    prefixes: [`/api/${name}`],
    start: (host: Host<z.output<typeof settings>>) => {
      const { text, fails } = host.config;
      notes.push(`${name} starts: ${text}`);
      host.onStop(() => notes.push(`${name} ends: ${text}`));
      if (fails === "start") throw new Error("no luck with postgres://me:secret@db/x");
      if (fails === "doors") [1, 2].forEach(() => host.answer(whoAsks, () => null));
      const route = createRoute({
        method: "get",
        path: `/api/${name}`,
        responses: { 200: { description: "Text" } },
      });
      host.http.openapi(route, (c) => c.text(text));
      host.run(
        "loop",
        (signal) => new Promise((resolve) => signal.addEventListener("abort", () => resolve())),
      );
      more(host);
    },
  });
}

const nothing = { kept: [], restarted: [], started: [], stopped: [], needsRestart: [] };

Deno.test("a reload touches only what has changed, and the plan says so before", async () => {
  const notes: string[] = [];
  const plugins = ["same", "changed", "gone", "added"].map((name) => shown(name, notes));
  await using kernel = await startReloadableKernel({
    plugins,
    sections: { plugins: { same: {}, changed: {}, gone: {} } },
  });
  notes.length = 0;
  await kernel.write({ plugins: { added: {}, changed: { text: "bye" }, same: { text: "hello" } } });
  const expected = {
    ...nothing,
    kept: ["same"],
    restarted: ["changed"],
    started: ["added"],
    stopped: ["gone"],
  };
  expect(await kernel.plan()).toEqual(expected);
  expect(notes).toEqual([]);
  expect(await kernel.reload()).toEqual({ ...expected, failed: [] });
  expect(notes).toEqual([
    "gone ends: hello",
    "added starts: hello",
    "changed ends: hello",
    "changed starts: bye",
  ]);
  const text = async (path: string) => await (await kernel.fetch(path)).text();
  expect([await text("/api/same"), await text("/api/changed"), await text("/api/added")]).toEqual([
    "hello",
    "bye",
    "hello",
  ]);
  expect(JSON.parse(await text("/api/gone"))).toMatchObject({ status: 503, code: "plugin_stopped" });
  expect(await kernel.reload()).toEqual({ ...nothing, kept: ["added", "changed", "same"], failed: [] });
});

Deno.test("a faulty file changes nothing, and every fault is named as `check` does", async () => {
  const notes: string[] = [];
  await using kernel = await startReloadableKernel({
    plugins: [shown("one", notes)],
    sections: { plugins: { one: {} } },
  });
  const file = join(kernel.folder, "projects.yaml");
  await kernel.write("plugins:\n  one: { text: 5 }\n  two: {}\n");
  const lines = [
    expect.stringMatching(`^${file}:2:16 plugins.one.text: expected text`),
    expect.stringMatching(`^${file}:3:3 plugins.two: unknown plugin`),
  ];
  await expect(kernel.reload()).rejects.toMatchObject({ lines });
  for (const [method, path] of [["GET", "/api/admin/plan"], ["POST", "/api/admin/reload"]] as const) {
    const answer = await kernel.fetch(path, { method });
    expect(answer.status).toBe(422);
    expect(await answer.json()).toMatchObject({ code: "invalid_configuration", faults: lines });
  }
  await Deno.remove(file);
  await expect(kernel.plan()).rejects.toThrow("Cannot read");
  expect(notes).toEqual(["one starts: hello"]);
});

for (const fails of ["start", "doors"] as const) {
  Deno.test(`a plugin whose ${fails} fails with its new settings is put back with its old ones`, async () => {
    const notes: string[] = [];
    const plugins = [shown("first", notes), shown("second", notes), shown("third", notes)];
    await using kernel = await startReloadableKernel({
      plugins,
      sections: { plugins: { first: {}, second: {} } },
    });
    notes.length = 0;
    const faulty = { text: "new", fails };
    await kernel.write({ plugins: { first: faulty, second: { text: "new" }, third: faulty } });
    const result = await kernel.reload();
    const detail = fails === "start"
      ? "no luck with postgres://me:[redacted]@db/x"
      : expect.stringContaining("taken.name");
    expect(result).toEqual({
      ...nothing,
      restarted: ["second"],
      failed: [{ name: "first", detail, putBack: true }, { name: "third", detail, putBack: false }],
    });
    expect(notes).toEqual([
      "first ends: hello",
      "first starts: new",
      "first ends: new",
      "first starts: hello",
      "second ends: hello",
      "second starts: new",
      "third starts: new",
      "third ends: new",
    ]);
    expect(await (await kernel.fetch("/api/first")).text()).toBe("hello");
    // What runs counts, not what the file said before: the next reload tries again.
    expect(await kernel.plan()).toMatchObject({ kept: ["second"], restarted: ["first"], started: ["third"] });
    await kernel.write({ plugins: { first: {}, second: { text: "new" }, third: { text: "at last" } } });
    expect(await kernel.reload()).toMatchObject({
      kept: ["first", "second"],
      started: ["third"],
      failed: [],
    });
    expect(await (await kernel.fetch("/api/third")).text()).toBe("at last");
  });
}

Deno.test("a plugin that starts with neither is reported, stays stopped, and the next reload tries it again", async () => {
  let isBroken = false;
  const fragile = shown("fragile", [], () => {
    if (isBroken) throw new Error("the disk is away");
  });
  await using kernel = await startReloadableKernel({
    plugins: [fragile],
    sections: { plugins: { fragile: {} } },
  });
  isBroken = true;
  await kernel.write({ plugins: { fragile: { text: "new" } } });
  const answer = await kernel.fetch("/api/admin/reload", { method: "POST" });
  expect(await answer.json()).toMatchObject({
    restarted: [],
    failed: [{
      name: "fragile",
      put_back: false,
      detail: "the disk is away; nor with its old settings: the disk is away",
    }],
  });
  const gone = await kernel.fetch("/api/fragile");
  expect(await gone.json()).toMatchObject({ status: 503, code: "plugin_stopped" });
  const terminal = recordTerminal({
    env: { COMMANDCENTER_KEY: (await Deno.readTextFile(kernel.adminKeyFile)).trim() },
  });
  expect(await reloadAgent({ terminal, options: { url: kernel.url }, operands: [] })).toBe(1);
  expect(terminal.noted).toEqual(["error: fragile does not run: the disk is away"]);
  isBroken = false;
  expect(await kernel.reload()).toMatchObject({ started: ["fragile"], failed: [] });
});

Deno.test("what only counts from the next start is named by its path, and secrets stay unseen", async () => {
  const plugins = [shown("one")];
  const one = { token: "${file:./token}" };
  await using kernel = await startReloadableKernel({
    plugins,
    sections: { plugins: { one } },
    files: { token: "first-secret" },
  });
  const sections = {
    plugins: { one },
    node: { name: "other", data_dir: "./elsewhere" },
    http: { max_body: "2mb" },
    bus: { token: "bus-secret" },
    log: { level: "debug" },
  };
  await kernel.write(sections);
  const needsRestart = ["node.name", "node.data_dir", "http.max_body", "bus.token", "log.level"];
  expect(await kernel.reload()).toEqual({ ...nothing, kept: ["one"], needsRestart, failed: [] });
  await Deno.writeTextFile(join(kernel.folder, "token"), "second-secret");
  const answer = await kernel.fetch("/api/admin/plan");
  const text = await answer.text();
  expect(JSON.parse(text)).toEqual({
    kept: [],
    restarted: ["one"],
    started: [],
    stopped: [],
    needs_restart: needsRestart,
  });
  expect(text).not.toContain("secret");
});

Deno.test("changed projects concern the plugins that have looked at them, and nobody else", async () => {
  let later!: Host;
  const seen: string[] = [];
  const reader = shown("reader", [], ({ projects }) => seen.push(projects.map(({ slug }) => slug).join()));
  const lazy = shown("lazy", [], (host) => later = host);
  const project = (slug: string) => ({ slug, name: slug, hub_url: "http://x" });
  const plugins = { reader: {}, lazy: {}, other: {} };
  await using kernel = await startReloadableKernel({
    plugins: [reader, lazy, shown("other")],
    sections: { plugins, projects: [project("one")] },
  });
  await kernel.write({ plugins, projects: [project("one"), project("two")] });
  expect(await kernel.reload()).toMatchObject({ kept: ["lazy", "other"], restarted: ["reader"] });
  expect(seen).toEqual(["one", "one,two"]);
  expect(later.projects.map(({ slug }) => slug)).toEqual(["one", "two"]);
  await kernel.write({ plugins, projects: [] });
  expect(await kernel.plan()).toMatchObject({ kept: ["other"], restarted: ["reader", "lazy"] });
});

Deno.test("reloads at once have their turns, and a stop waits for the one under way", async () => {
  const notes: string[] = [];
  await using kernel = await startReloadableKernel({
    plugins: [shown("one", notes)],
    sections: { plugins: { one: {} } },
  });
  notes.length = 0;
  await kernel.write({ plugins: { one: { text: "new" } } });
  const [first, second] = await Promise.all([kernel.reload(), kernel.reload()]);
  expect([first.restarted, second.restarted, second.kept]).toEqual([["one"], [], ["one"]]);
  expect(notes).toEqual(["one ends: hello", "one starts: new"]);
  await kernel.write({ plugins: { one: { text: "last" } } });
  const underWay = kernel.reload();
  await waitFor(() => notes.length === 4, { what: "the restart" });
  const late = kernel.reload();
  const refused = expect(late).rejects.toMatchObject({ code: "stopping" });
  await Promise.all([underWay, kernel.stop(), refused]);
  expect(notes.slice(2)).toEqual(["one ends: new", "one starts: last", "one ends: last"]);
});

Deno.test("only an admin key may look and reload", async () => {
  await using kernel = await startReloadableKernel({ plugins: [], sections: { plugins: {} } });
  const made = await kernel.fetch("/api/keys", {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ name: "writer", scopes: ["write"] }),
  });
  const { key } = await made.json();
  for (const [method, path] of [["GET", "/api/admin/plan"], ["POST", "/api/admin/reload"]] as const) {
    const answer = await kernel.fetch(path, { method, headers: { authorization: `Bearer ${key}` } });
    expect(await answer.json()).toMatchObject({ status: 403, code: "insufficient_scope" });
  }
});
