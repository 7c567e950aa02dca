import type { Trial } from "./measure.js";

const BACKLOG = 1_000_000;

/** It is filled in so many acts, each of which is over in time with the slowest contestant too. */
const ACTS = 10;

/**
 * A million jobs in bulk, and how fast a worker then runs the first of them. Of `process`, which runs as many with nothing
 * behind them, it differs by what a backlog costs.
 */
export const backlog: Trial = {
  name: "backlog",
  keepResults: false,
  aboutResults: false,
  ofVariants: false,
  async run(arena, jobs) {
    const producer = await arena.producer();
    for (let act = 0; act < ACTS; act++) await producer.act("fill", BACKLOG / ACTS);
    const worker = await arena.worker();
    return { "process-of-1m": jobs / (await worker.act("runFirst", jobs)) };
  },
};

/** The same with a million jobs that are due in a day, of which none runs, and those that run in front of nothing. */
export const delayedBacklog: Trial = {
  name: "delayed-backlog",
  keepResults: false,
  aboutResults: false,
  ofVariants: false,
  oursOnly: true,
  rounds: 1,
  async run(arena, jobs) {
    const producer = await arena.producer();
    for (let act = 0; act < ACTS; act++) await producer.act("fillLater", BACKLOG / ACTS);
    await producer.act("fill", jobs);
    const worker = await arena.worker();
    return { "process-of-1m-delayed": jobs / (await worker.act("runFirst", jobs)) };
  },
};
