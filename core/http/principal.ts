import { Problem } from "../errors.ts";

/** What a key may do; `admin` includes `write`, `write` includes `read`. */
export type Scope = "read" | "write" | "admin";

/** The holder of a key, as the request handlers see it. */
export interface Principal {
  /** Public half of the key, safe to show. */
  readonly keyId: string;
  readonly name: string;
  readonly scopes: readonly Scope[];
  /** Slugs the key is limited to; null = all projects and what belongs to none. */
  readonly projects: readonly string[] | null;
}

const rank: Readonly<Record<Scope, number>> = { read: 1, write: 2, admin: 3 };

/** Whether the principal holds `scope`, directly or through a wider one. */
export function holdsScope(principal: Principal, scope: Scope): boolean {
  return principal.scopes.some((held) => rank[held] >= rank[scope]);
}

/** Throws Problem 403 `project_forbidden` for a key limited to projects: what is asked for concerns the whole agent. */
export function requireUnlimited(principal: Principal | undefined): void {
  if (!principal || principal.projects === null) return;
  throw new Problem(403, "project_forbidden", {
    detail: "This concerns the whole agent, and the key is limited to projects; use one that is not",
  });
}

/** Whether the principal may see and change what belongs to `project` (null = belongs to no project). */
export function seesProject(principal: Principal | undefined, project: string | null): boolean {
  if (!principal || principal.projects === null) return true;
  return project !== null && principal.projects.includes(project);
}
