/** A part that comes from outside the project and that a machine may lack. */
export type Requirement = "nats" | "postgres" | "postgres-programs" | "mount" | "docker" | "promtool";

interface Wanted {
  /** What a reader calls it. */
  readonly title: string;
  /** Set to its place when it is there; with `_MISSING` behind the name, the reason why it is not. */
  readonly variable: string;
}

/** The environment variables through which the test runner hands each requirement to the tests. */
export const requirements: Readonly<Record<Requirement, Wanted>> = {
  "nats": { title: "nats-server", variable: "NATS_SERVER" },
  "postgres": { title: "PostgreSQL server", variable: "DATABASE_URL" },
  "postgres-programs": { title: "PostgreSQL programs", variable: "POSTGRES_BIN" },
  "docker": { title: "Docker", variable: "DOCKER_ENGINE" },
  "mount": { title: "a disk to fill (mount)", variable: "MOUNT_PROGRAM" },
  "promtool": { title: "promtool", variable: "PROMTOOL" },
};

/** Returns where a requirement is (a program's path, a URL, a folder), or throws with the reason why not. */
export function locate(requirement: Requirement): string {
  const found = Deno.env.get(requirements[requirement].variable);
  if (found) return found;
  throw new Error(`Cannot use "${requirements[requirement].title}": ${whyMissing(requirement)}`);
}

/** Returns the reason why a requirement is missing, or undefined when it is there. */
export function whyMissing(requirement: Requirement): string | undefined {
  const { variable } = requirements[requirement];
  if (Deno.env.get(variable)) return undefined;
  return Deno.env.get(`${variable}_MISSING`) ?? `${variable} is not set; run the tests with "deno task test"`;
}
