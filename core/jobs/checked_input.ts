import { Problem } from "../errors.ts";
import type { Job } from "./job.ts";
import { inputText } from "./job_text.ts";

/**
 * The input of a job as it is stored. Throws Problem 422 where the job's schema refuses it, where it is no JSON or holds a
 * secret, and 413 where it is too large.
 */
export function checkedInput<Input, Given>({ name, input: schema }: Job<Input, Given>, input: Given): string {
  const text = inputText(name, input);
  // What the work will get is what comes back out of the database: a Date, say, would not.
  const checked = schema.safeParse(JSON.parse(text));
  if (checked.success) return text;
  const faults = checked.error.issues.slice(0, 20).map(({ path, message }) =>
    `${["input", ...path.map(String)].join(".")}: ${message}`
  );
  throw new Problem(422, "invalid_job_input", {
    detail: `Cannot enqueue "${name}": ${faults.join("; ")}`,
    cause: checked.error,
  });
}
