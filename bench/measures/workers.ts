import type { Trial } from "./measure.js";

/** `process` with several worker processes, from the start of the first until the last sees an empty queue. */
export function workers(count: 2 | 4): Trial {
  const name = `process-${count}-workers` as const;
  return {
    name,
    keepResults: false,
    aboutResults: false,
    ofVariants: false,
    async run(arena, jobs) {
      const producer = await arena.producer();
      await producer.act("fill", jobs);
      const processes = await Promise.all(Array.from({ length: count }, () => arena.worker()));
      const spans = await Promise.all(processes.map((worker) => worker.act("settleShare")));
      const ran = spans.reduce((sum, span) => sum + span.ran, 0);
      if (ran !== jobs) throw new Error(`${count} workers ran ${ran} times for ${jobs} jobs`);
      const milliseconds = Math.max(...spans.map(({ until }) => until)) - Math.min(...spans.map(({ since }) => since));
      return { [name]: (jobs / milliseconds) * 1000 };
    },
  };
}
