import { expect } from "expect";
import { open, readFile } from "node:fs/promises";
import { readBounded } from "./read_bounded.ts";

Deno.test({
  name: "a file that holds more than its size says is read to its end, or to the limit",
  ignore: Deno.build.os !== "linux",
  fn: async () => {
    const path = "/proc/cpuinfo"; // its size is 0
    const whole = await readFile(path);
    await using file = await open(path);
    expect(await readBounded(file, whole.length - 1)).toBe(undefined);
    await using again = await open(path);
    expect((await readBounded(again, 10_000_000))?.toString().split("\n")[0]).toBe(
      whole.toString().split("\n")[0],
    );
  },
});
