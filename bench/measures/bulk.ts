import type { Trial } from "./measure.js";

/** Calls for a thousand jobs each. */
export const bulk: Trial = {
  name: "enqueue-bulk",
  keepResults: false,
  aboutResults: false,
  ofVariants: true,
  async run(arena, jobs) {
    const producer = await arena.producer();
    const seconds = await producer.act("enqueueBulk", jobs);
    return seconds === undefined ? {} : { "enqueue-bulk": jobs / seconds };
  },
};
