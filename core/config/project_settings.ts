import { z } from "zod";
import type { ProjectEntry } from "../plugin.ts";
import { reservedNames } from "./node_settings.ts";

/** The short name of a project, a token of its subjects. */
export const projectSlug = z.string()
  .regex(/^[a-z0-9-]{1,50}$/, 'expected 1 to 50 of a-z, 0-9 and "-"')
  .refine((slug) => !reservedNames.includes(slug), { message: "this name is reserved" });

/** One entry of `projects:`; `mesh_namespace` is filled in where it is left out. */
export const projectEntry: z.ZodType<ProjectEntry> = z.strictObject({
  slug: projectSlug.describe("Short name, unique in this file: a-z, 0-9 and -, 50 at the most"),
  name: z.string().trim().min(1).max(200).describe("Name for people"),
  hub_url: z.string().max(500)
    .refine(isHubUrl, { message: 'expected "http://host" or "https://host", without user and password' })
    .describe("Where the project's host is reached, `http://` or `https://`"),
  mesh_namespace: z.string().optional().describe("Always `hub.<slug>`; may be left out"),
  tags: z.array(z.string().trim().min(1).max(100)).max(100).default([]).describe("Words to find it by"),
  allow_fanout: z.array(
    z.string().max(200).regex(
      /^[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*$/,
      'expected a name such as "audit.security"',
    ),
  ).max(100).default([]).describe("Queries that may be passed on to every host"),
})
  .refine(hasOwnNamespace, {
    path: ["mesh_namespace"],
    message: 'has to be "hub." and the slug',
    when: () => true, // all faults at once: also beside other faults of the entry
  })
  .transform((entry) => ({ ...entry, mesh_namespace: entry.mesh_namespace ?? `hub.${entry.slug}` }));

/** The `projects:` section of the configuration. */
export const projectList = z.array(projectEntry).max(10_000).superRefine((entries, context) => {
  if (!Array.isArray(entries)) return; // of the wrong type, which has been said already
  const seen = new Set<string>();
  for (const [index, entry] of entries.entries()) {
    const slug = textOf(entry, "slug");
    if (slug !== undefined && seen.has(slug)) {
      context.addIssue({ code: "custom", path: [index, "slug"], message: "another project has this slug" });
    }
    if (slug !== undefined) seen.add(slug);
  }
}, { when: () => true });

function isHubUrl(text: string): boolean {
  if (!/^https?:\/\//.test(text) || !URL.canParse(text)) return false;
  const { username, password } = new URL(text);
  return username === "" && password === "";
}

function hasOwnNamespace(entry: unknown): boolean {
  const slug = textOf(entry, "slug");
  const namespace = textOf(entry, "mesh_namespace");
  return slug === undefined || namespace === undefined || namespace === `hub.${slug}`;
}

function textOf(entry: unknown, key: string): string | undefined {
  const value = typeof entry === "object" && entry !== null
    ? (entry as Record<string, unknown>)[key]
    : undefined;
  return typeof value === "string" ? value : undefined;
}
