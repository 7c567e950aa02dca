import assert from "node:assert/strict";
import type { WorkerCaseGroup } from "./case.js";
import type { WorkerContext } from "./context.js";

export const broadcasting: WorkerCaseGroup = {
  name: "broadcasting",
  cases: [
    {
      name: "runs a job once on every process of its queue, and on none of another",
      requires: ({ broadcast }) => broadcast,
      async run(c) {
        const [first, second, other] = await Promise.all([c.start(), c.start(), c.start({ queues: ["other"] })]);
        const sent = c.now();
        const here = await broadcast(c);
        const seen = await Promise.all([first, second].map((one) => one.saw("completed", { id: here })));
        const latest = Math.max(...seen.map(({ at }) => at)) - sent;
        c.report(`a broadcast had run on two processes after ${latest.toFixed(1)} ms`);
        // By the time that it has run one of its own queue, it would have run the other.
        const there = await broadcast(c, "other");
        await other.saw("completed", { id: there });
        assert.deepEqual(pidsOf(c, here), [first.pid, second.pid].sort());
        assert.deepEqual(pidsOf(c, there), [other.pid]);
      },
    },
    {
      name: "is missed by a process that is dead, and by one that comes later",
      requires: ({ broadcast }) => broadcast,
      async run(c) {
        const [stays, dies] = await Promise.all([c.start(), c.start()]);
        await dies.kill();
        const missed = await broadcast(c);
        await stays.saw("completed", { id: missed });
        const late = await c.start();
        const next = await broadcast(c);
        await Promise.all([stays, late].map((one) => one.saw("completed", { id: next })));
        assert.deepEqual(pidsOf(c, missed), [stays.pid]);
        assert.deepEqual(pidsOf(c, next), [stays.pid, late.pid].sort());
      },
    },
  ],
};

async function broadcast(c: WorkerContext, queue = "default"): Promise<string> {
  return (await c.tasks.note.with({ broadcast: true, queue }).enqueue()).id;
}

/** In which processes a job has begun, each as often as it did. */
function pidsOf(c: WorkerContext, id: string): number[] {
  const started = c.entries().filter((entry) => entry.what === "started" && entry.id === id);
  return started.map(({ pid }) => pid).sort();
}
