import type { Trial } from "./measure.js";

const ACTS = { single: "wholeWay", bulk: "wholeWayInBulk", steady: "wholeWaySteadily" } as const;
const NAMES = { single: "whole-way", bulk: "whole-way-bulk", steady: "whole-way-steady" } as const;

/**
 * One process enqueues, runs and settles: by single calls or by calls for a thousand as fast as they are taken, or
 * steadily, each thousand when the one before has run.
 */
export function wholeWay(calls: keyof typeof ACTS, keepResults: boolean): Trial {
  const name = keepResults ? "whole-way-bulk-with-results" : NAMES[calls];
  return {
    name,
    keepResults,
    aboutResults: keepResults,
    ofVariants: false,
    async run(arena, jobs) {
      const process = await arena.producer();
      const seconds = await process.act(ACTS[calls], jobs);
      return { [name]: jobs / seconds };
    },
  };
}
