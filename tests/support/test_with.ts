import { join } from "node:path";
import { type Requirement, requirements, whyMissing } from "./requirement.ts";
import { runFolderVariable } from "./spawn_child.ts";

type Run = (context: Deno.TestContext) => void | Promise<void>;

/** Registers a test that needs `$NATS_SERVER`; see `startNatsServer`. */
export function testWithNats(name: string, run: Run): void {
  testWith({ needs: ["nats"], name, run });
}

/** Registers a test that needs `$DATABASE_URL`; see `createDatabase`. */
export function testWithPostgres(name: string, run: Run): void {
  testWith({ needs: ["postgres"], name, run });
}

/** Registers a test that stops or kills a PostgreSQL server of its own; see `startPostgres`. */
export function testWithOwnPostgres(name: string, run: Run): void {
  testWith({ needs: ["postgres-programs"], name, run });
}

/**
 * Registers a test that needs real servers. Where one is missing the test is skipped by name, and the reason told to
 * the runner.
 */
export function testWith(
  { needs, name, run }: { readonly needs: readonly Requirement[]; readonly name: string; readonly run: Run },
): void {
  const reasons = needs.flatMap((requirement) => {
    const reason = whyMissing(requirement);
    return reason === undefined ? [] : [`${requirements[requirement].title}: ${reason}`];
  });
  if (reasons.length > 0) noteSkip({ name, reason: reasons.join("; ") });
  Deno.test({ name, ignore: reasons.length > 0, fn: run });
}

/** A test that was skipped because the machine lacks something. */
export interface Skip {
  readonly name: string;
  readonly reason: string;
}

/** The file, in the folder of the test run, to which skips are added, one JSON object a line. */
export const skipFile = "skips.jsonl";

function noteSkip(skip: Skip): void {
  const folder = Deno.env.get(runFolderVariable);
  if (folder === undefined) return;
  Deno.writeTextFileSync(join(folder, skipFile), `${JSON.stringify(skip)}\n`, { append: true });
}
