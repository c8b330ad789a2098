import type { Contest, Measurement } from "./row.ts";

/** The two sides of one round, measured right after each other. */
export interface Round {
  readonly work: Measurement;
  readonly baseline: Measurement;
}

/**
 * Measures both sides in turns, so that whatever else the machine does hits both alike; who goes first changes from
 * round to round. One more round in front, which is thrown away, warms up both.
 */
export async function runRounds(contest: Contest, rounds: number): Promise<Round[]> {
  const measured: Round[] = [];
  for (let number = 0; number <= rounds; number++) {
    const round = await runRound(contest, number % 2 === 0);
    if (number > 0) measured.push(round);
  }
  return measured;
}

async function runRound(contest: Contest, workFirst: boolean): Promise<Round> {
  if (workFirst) return { work: await contest.work(), baseline: await contest.baseline() };
  const baseline = await contest.baseline();
  return { work: await contest.work(), baseline };
}
