import type { Trial } from "./measure.js";

/** How many calls, whatever `--jobs` says: a mark that others publish too. */
const CALLS = 50_000;

/** So many single calls, all made before the first of them is done. */
export const atOnce: Trial = {
  name: "enqueue-50k",
  keepResults: false,
  aboutResults: false,
  ofVariants: false,
  async run(arena) {
    const producer = await arena.producer();
    return { "enqueue-50k": await producer.act("enqueueAtOnce", CALLS) };
  },
};
