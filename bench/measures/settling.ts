import type { Trial } from "./measure.js";

/** A worker works off a queue that was filled before, until the last job is settled and the queue empty. */
export function settling(keepResults: boolean): Trial {
  const name = keepResults ? "process-with-results" : "process";
  return {
    name,
    keepResults,
    aboutResults: keepResults,
    ofVariants: !keepResults,
    async run(arena, jobs) {
      const producer = await arena.producer();
      await producer.act("fill", jobs);
      const worker = await arena.worker();
      const seconds = await worker.act("settleAll", jobs);
      const bytes = await worker.act("peakRss");
      const memory = bytes === undefined ? {} : { [keepResults ? "rss-with-results" : "rss"]: bytes / 1e6 };
      return { [name]: jobs / seconds, ...memory };
    },
  };
}
