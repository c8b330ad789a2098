import { expect } from "expect";
import { HealthChecks } from "./health.ts";

Deno.test("the worst required check decides; what is not required only degrades", async () => {
  const table: [("up" | "degraded" | "down")[], ("up" | "degraded" | "down")[], string][] = [
    [["up"], ["up"], "healthy"],
    [[], [], "healthy"],
    [["up"], ["down"], "degraded"],
    [["degraded"], ["up"], "degraded"],
    [["up", "down"], ["up"], "unhealthy"],
  ];
  for (const [required, optional, status] of table) {
    const health = new HealthChecks();
    required.forEach((each, index) => health.add(`r${index}`, () => ({ status: each }), { required: true }));
    optional.forEach((each, index) => health.add(`o${index}`, () => ({ status: each })));
    expect((await health.report()).status).toBe(status);
  }
});

Deno.test("a probe that throws or hangs counts as down, and says why", async () => {
  const health = new HealthChecks();
  health.add("throws", () => {
    throw new Error("no disk");
  });
  health.add("hangs", () => new Promise(() => {}));
  const { checks } = await health.report();
  expect(checks).toMatchObject([
    { name: "throws", status: "down", message: "no disk" },
    { name: "hangs", status: "down", message: "no answer within 2000 ms" },
  ]);
});

Deno.test("a name is taken once, and free again when its check is taken back", async () => {
  const health = new HealthChecks();
  const remove = health.add("disk", () => ({ status: "up" }));
  expect(() => health.add("disk", () => ({ status: "up" }))).toThrow("the name is taken");
  remove();
  health.add("disk", () => ({ status: "down" }));
  remove(); // an old way back does not remove the new check
  expect((await health.report("disk")).checks).toHaveLength(1);
});
