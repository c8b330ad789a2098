import { z } from "zod";

/** How a container is to run, as it is handed to the process that looks after it. */
export const containerPlanSchema = z.strictObject({
  image: z.string(),
  command: z.array(z.string()),
  env: z.record(z.string(), z.string()).default({}),
  ready: z.strictObject({ message: z.string(), times: z.int().default(1) })
    .describe("What it prints, as a regular expression, and how often, until it is ready"),
  copy: z.strictObject({ path: z.string(), archive: z.string() }).optional()
    .describe("A file to take out of it, and where to put it, as a tar archive"),
});

/** How a container is to run. */
export type ContainerPlan = z.input<typeof containerPlanSchema>;
