import { z } from "zod";

/** The `log:` section of the configuration. */
export const logSettings = z.strictObject({
  level: z.enum(["debug", "info", "warn", "error"]).default("info").describe("Least level that is written"),
  format: z.enum(["auto", "json", "pretty"]).default("auto")
    .describe("`json` lines, `pretty` for people, or `auto`: pretty on a terminal, else json"),
});

/** The `log:` section, parsed. */
export type LogSettings = z.output<typeof logSettings>;
