import { messageOf, Problem } from "../errors.ts";

/** SQLITE_CORRUPT and SQLITE_NOTADB; where the driver leaves the code out, their texts. */
const codes = [11, 26];
const texts = /^(?:database disk image is malformed|file is not a database)/;

/** The database file is damaged, or is none. Names the file for the operator; callers are told without it. */
export class StorageDamaged extends Problem {
  readonly path: string;
  /** What the database says. */
  readonly reason: string;

  constructor(path: string, cause: unknown) {
    const reason = messageOf(cause);
    super(500, "storage_damaged", {
      detail: `The database of this agent is damaged (${reason}); its operator has to restore a backup`,
      cause,
    });
    this.path = path;
    this.reason = reason;
  }

  /** What to do, line by line. */
  get advice(): readonly string[] {
    return [
      `Cannot use the database "${this.path}": ${this.reason}`,
      `Stop the agent, copy "${this.path}" and "${this.path}-wal" away as they are, and put a backup in their place; ` +
      "`commandcenter restore` does that in a data folder that is empty. Or move them away, start anew and import an export.",
    ];
  }
}

/** Whether the error says that a database file is damaged, which no later attempt will mend. */
export function isDamage(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  const { code, errcode } = error as { code?: unknown; errcode?: unknown };
  return code === "ERR_SQLITE_ERROR" && (codes.includes(Number(errcode) & 0xff) || texts.test(error.message));
}
