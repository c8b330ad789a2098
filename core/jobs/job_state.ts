/** Where a job stands. `waiting` is for its next attempt; the last three are ends. */
export const jobStates = ["pending", "waiting", "running", "completed", "failed", "cancelled"] as const;

/** One of `jobStates`. */
export type JobState = typeof jobStates[number];

interface Move {
  readonly from: readonly JobState[];
  readonly to: JobState;
}

/** Every legal change of state; SQL changes a state by one of these only. */
export const moves = {
  /** An agent begins an attempt. */
  start: { from: ["pending", "waiting"], to: "running" },
  complete: { from: ["running"], to: "completed" },
  fail: { from: ["running"], to: "failed" },
  /** An attempt failed, and another one is to follow. */
  postpone: { from: ["running"], to: "waiting" },
  /** Asked for before it runs, or carried out by the agent that runs it. */
  cancel: { from: ["pending", "waiting", "running"], to: "cancelled" },
  /** The agent that ran it stops, or was lost. */
  handBack: { from: ["running"], to: "pending" },
  /** Its agents were lost as often as it may be tried. */
  giveUp: { from: ["pending", "waiting"], to: "failed" },
  /** By hand, with all its attempts anew. */
  retry: { from: ["failed", "cancelled", "waiting"], to: "pending" },
} as const satisfies Readonly<Record<string, Move>>;

/** Name of a legal change of state. */
export type MoveName = keyof typeof moves;

/** Whether a job in this state takes part in that change. */
export function isLegal(state: JobState, name: MoveName): boolean {
  return (moves[name].from as readonly JobState[]).includes(state);
}

/** Whether nothing happens to it any more by itself. */
export function isEnd(state: JobState): boolean {
  return state === "completed" || state === "failed" || state === "cancelled";
}
