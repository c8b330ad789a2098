import type { Contest, Measurement } from "./row.ts";

/** The two sides of one round. */
export interface Round {
  readonly work: Measurement;
  readonly baseline: Measurement;
}

export interface RoundOptions {
  readonly rounds: number;
  /** Turns of each side within a round; default 1. Their figures are rates of the same amount of work. */
  readonly turns?: number | undefined;
}

/**
 * Measures both sides in turns, so that whatever else the machine does hits both alike; who goes first changes from
 * turn to turn. One more round in front, which is thrown away, warms up both.
 */
export async function runRounds(contest: Contest, { rounds, turns = 1 }: RoundOptions): Promise<Round[]> {
  const measured: Round[] = [];
  for (let number = 0; number <= rounds; number++) {
    const round: Round[] = [];
    for (let turn = 0; turn < turns; turn++) round.push(await runTurn(contest, (number + turn) % 2 === 0));
    if (number > 0) measured.push(joined(round));
  }
  return measured;
}

async function runTurn(contest: Contest, workFirst: boolean): Promise<Round> {
  if (workFirst) return { work: await contest.work(), baseline: await contest.baseline() };
  const baseline = await contest.baseline();
  return { work: await contest.work(), baseline };
}

function joined(turns: readonly Round[]): Round {
  return {
    work: overall(turns.map(({ work }) => work)),
    baseline: overall(turns.map(({ baseline }) => baseline)),
  };
}

/** The rate over all turns, which is the harmonic mean of theirs; the mean of everything else. */
function overall(turns: readonly Measurement[]): Measurement {
  const mean = (numbers: readonly number[]) => numbers.reduce((sum, each) => sum + each, 0) / numbers.length;
  const names = Object.keys(turns[0]?.also ?? {});
  return {
    figure: 1 / mean(turns.map(({ figure }) => 1 / figure)),
    also: Object.fromEntries(names.map((name) => [name, mean(turns.map(({ also }) => also?.[name] ?? NaN))])),
  };
}
