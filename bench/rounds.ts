import { Arena, type Side } from "./arena.js";
import type { Command } from "./command-line.js";
import type { Variant } from "./drivers.js";
import { type Entry, entriesOf, Tally, variantEntries } from "./entries.js";
import type { Trial } from "./measures/measure.js";
import { Progress } from "./progress.js";

const ROUNDS = 3;

/** A contestant with all its figures so far. */
interface Entrant {
  readonly label: string;
  readonly side: Side;
  readonly tally: Tally;
  takesPart(trial: Trial): boolean;
}

/**
 * Runs every measure three times, the contestants taking turns in an order that is reversed from round to round, so that a
 * machine that slows down or is busy for a while treats all alike.
 *
 * @param program - The program of the processes.
 */
export async function measure(command: Command, program: string): Promise<Entry[]> {
  const { driver, trials, jobs, seconds } = command;
  const entrants = line(command);
  const steps = Array.from({ length: ROUNDS }, (_, round) =>
    trials.flatMap((trial) => {
      if (round >= (trial.rounds ?? ROUNDS)) return [];
      const taking = entrants.all.filter((entrant) => entrant.takesPart(trial));
      return (round % 2 === 0 ? taking : taking.reverse()).map((entrant) => ({ round, trial, entrant }));
    }),
  ).flat();
  const progress = new Progress(steps.length);
  try {
    for (const { round, trial, entrant } of steps) {
      progress.step(`round ${round + 1}: ${trial.name}, ${entrant.label}`);
      const arena = new Arena(program, entrant.side, await driver.fresh(), trial.keepResults);
      try {
        entrant.tally.add(await trial.run(arena, jobs, seconds));
      } finally {
        await arena.close();
      }
    }
  } finally {
    progress.end();
  }
  return entrants.entries();
}

function line({ driver, peers }: Command): { readonly all: readonly Entrant[]; entries(): Entry[] } {
  const ours = entrant("taskwright", our(driver.standard), () => true);
  const theirs = peers.map(({ name, keepsResults, measures }) =>
    entrant(
      name,
      { contestant: name, address: ({ address }) => address },
      (trial) =>
        trial.oursOnly !== true && (keepsResults || !trial.aboutResults) && (measures?.includes(trial.name) ?? true),
    ),
  );
  const variants = driver.variants.map((variant) => ({
    suffix: `-${variant.name}`,
    ...entrant(`taskwright ${variant.name}`, our(variant), (trial) => trial.ofVariants),
  }));
  return {
    all: [ours, ...theirs, ...variants],
    entries: () => [
      ...(theirs.length === 0 ? entriesOf(driver.name, ours.tally) : []),
      ...theirs.flatMap(({ label, tally }) => entriesOf(driver.name, ours.tally, { name: label, tally })),
      ...variants.flatMap(({ tally, suffix }) => variantEntries(driver.name, tally, suffix)),
    ],
  };
}

function our({ broker }: Pick<Variant, "broker">): Side {
  return { contestant: "taskwright", address: ({ address }) => broker(address) };
}

function entrant(label: string, side: Side, takesPart: (trial: Trial) => boolean): Entrant {
  return { label, side, tally: new Tally(), takesPart };
}
