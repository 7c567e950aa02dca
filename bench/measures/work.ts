import type { Trial } from "./measure.js";

/** What the database does for a job on its whole way, published in bulk, run and settled: rows, log and transactions. */
export const work: Trial = {
  name: "work",
  keepResults: false,
  aboutResults: false,
  ofVariants: false,
  async run(arena, jobs) {
    // Open first: a contestant may make its tables then.
    const producer = await arena.producer();
    const before = await arena.workSoFar();
    if (before === undefined) return {};
    await producer.act("fill", jobs);
    await (await arena.worker()).act("settleAll", jobs);
    await arena.endChildren();
    const after = (await arena.workSoFar()) ?? before;
    return {
      "rows-per-job": (after.rows - before.rows) / jobs,
      "wal-per-job": (after.wal - before.wal) / jobs,
      "commits-per-job": (after.commits - before.commits) / jobs,
    };
  },
};
