import type { Trial } from "./measure.js";

/** Concurrent single calls, and what a waiting job then takes up. */
export const enqueue: Trial = {
  name: "enqueue",
  keepResults: false,
  aboutResults: false,
  ofVariants: true,
  async run(arena, jobs) {
    const producer = await arena.producer();
    let seconds = 0;
    const bytes = await arena.growth(producer, async () => {
      seconds = await producer.act("enqueueSingly", jobs);
    });
    return { enqueue: jobs / seconds, "bytes-per-job": bytes / jobs };
  },
};
