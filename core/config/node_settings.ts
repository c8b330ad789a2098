import { z } from "zod";

/** Second token of the subjects that belong to everybody; no node or project may be called so. */
export const reservedNames: readonly string[] = ["global", "presence"];

/** The `node:` section of the configuration. */
export const nodeSettings = z.strictObject({
  id: z.string()
    .regex(/^[A-Za-z0-9_-]{1,64}$/, 'expected 1 to 64 letters, digits, "-" and "_"')
    .refine((id) => !reservedNames.includes(id), { message: "this name is reserved" })
    .optional()
    .describe(
      "Identity of this host, one token of its subjects; without it one is made and kept in the data folder",
    ),
  name: z.string().trim().min(1).max(200).optional()
    .describe("Name of this host for people; without it the machine's host name"),
  data_dir: z.string().min(1).default("./data")
    .describe("Folder for everything that is kept; starts from the folder of this file"),
});
