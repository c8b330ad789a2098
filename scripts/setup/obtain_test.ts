import { expect } from "expect";
import { join } from "node:path";
import { NotHere, obtain } from "./obtain.ts";
import { isRecent, obtainNats } from "./obtain_nats.ts";

Deno.test("the first way that works is taken, and those that failed are told", async () => {
  const said: string[] = [];
  const fails = (error: Error) => () => Promise.reject<string>(error);
  const ways = [
    { name: "variable", take: fails(new NotHere("not set")) },
    { name: "download", take: fails(new Error("no network")) },
    { name: "folder", take: () => Promise.resolve("/there") },
    { name: "never tried", take: fails(new Error("tried")) },
  ];
  const say = (line: string) => void said.push(line);
  expect(await obtain("thing", { ways, say })).toEqual({ found: "/there", by: "folder" });
  expect(said).toEqual(["thing: download: no network"]);
  expect(await obtain("thing", { ways: ways.slice(0, 2), say })).toEqual({
    missing: "none of these ways worked: variable: not set; download: no network",
  });
});

Deno.test("versions from 2.10 on are recent", () => {
  const versions = ["2.10.0", "2.15.2", "3.0.0", "2.9.10-1+b3", "2.9.25", "1.4.1", "", "(none)"];
  expect(versions.filter(isRecent)).toEqual(["2.10.0", "2.15.2", "3.0.0"]);
});

Deno.test("an older nats-server is refused with a line, and the next one on PATH taken", async () => {
  const folder = await Deno.makeTempDir();
  const path = Deno.env.get("PATH");
  const given = Deno.env.get("NATS_SERVER");
  const place = async (version: string) => {
    await Deno.mkdir(join(folder, version));
    const program = join(folder, version, "nats-server");
    await Deno.writeTextFile(program, `#!/bin/sh\necho "nats-server: v${version}"\n`, { mode: 0o755 });
    return program;
  };
  try {
    const [old, recent] = [await place("2.9.10"), await place("2.10.1")];
    Deno.env.set("PATH", `${join(folder, "2.9.10")}:${join(folder, "2.10.1")}`);
    Deno.env.delete("NATS_SERVER");
    const said: string[] = [];
    expect(await obtainNats((line) => void said.push(line))).toEqual({ found: recent, by: "PATH" });
    expect(said).toEqual([`nats-server: Cannot use "${old}": its version 2.9.10 is older than 2.10`]);
  } finally {
    if (path !== undefined) Deno.env.set("PATH", path);
    if (given !== undefined) Deno.env.set("NATS_SERVER", given);
    await Deno.remove(folder, { recursive: true });
  }
});
