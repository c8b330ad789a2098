import { expect } from "expect";
import { withContext } from "./context.ts";
import { configureLogging, getLogger } from "./log.ts";
import { Secret } from "./secret.ts";

function logged(
  format: "json" | "pretty",
  work: () => void,
  level: "debug" | "info" | "warn" = "info",
): string[] {
  const lines: string[] = [];
  configureLogging({ level, format, write: (line) => lines.push(line) });
  try {
    work();
  } finally {
    configureLogging({ level: "error", format: "json", write: () => {} });
  }
  return lines;
}

Deno.test("a line is one JSON object with time, level, logger, message, details and the call's correlation id", () => {
  const [line] = logged("json", () => {
    withContext({ correlationId: "c1" }, () => getLogger("http").warn("slow {request}\n", { took_ms: 12 }));
  });
  expect(line!.endsWith("}\n") && line!.indexOf("\n") === line!.length - 1).toBe(true);
  expect(JSON.parse(line!)).toEqual({
    time: expect.stringMatching(/^\d{4}-\d\d-\d\dT.*Z$/),
    level: "warn",
    logger: "http",
    message: "slow {request}\n",
    took_ms: 12,
    correlation_id: "c1",
  });
});

Deno.test("levels below the chosen one are left out", () => {
  const lines = logged("json", () => {
    const log = getLogger("x");
    log.debug("no");
    log.info("no");
    log.warn("yes");
    log.error("yes");
  }, "warn");
  expect(lines).toHaveLength(2);
});

Deno.test("errors are logged with their causes, and never swallow the line", () => {
  const error = new Error("outer", { cause: new Error("inner", { cause: 42n }) });
  const [line] = logged("json", () => getLogger("x").error("failed", { error }));
  expect(JSON.parse(line!).error).toMatchObject({
    name: "Error",
    message: "outer",
    stack: expect.any(Array),
    cause: { message: "inner", cause: "42" },
  });
});

Deno.test("secrets and keys never get out, in either format", () => {
  const key = `cc_abc123_${"s".repeat(43)}`;
  for (const format of ["json", "pretty"] as const) {
    const text = logged(format, () => {
      const log = getLogger("x");
      log.error("with a secret", {
        secret: new Secret("hunter2"),
        nested: { secret: new Secret("hunter2") },
      });
      log.error(`a key in a message: ${key}`, { header: `Bearer ${key}`, error: new Error(key) });
    }).join("");
    expect(text).toContain("[redacted]");
    expect(text).not.toContain("hunter2");
    expect(text).not.toContain("ssss");
  }
});
