import assert from "node:assert/strict";
import type { WorkerCaseGroup } from "./case.js";
import type { WorkerContext } from "./context.js";
import { FORCED_EXIT } from "./process.js";

export const shutdown: WorkerCaseGroup = {
  name: "shutdown",
  cases: [
    { name: "lets running jobs finish after SIGTERM, gives back the others and claims no more", run: assertFinishes },
    {
      name: "gives back what outlives the grace period, uncounted, and exits 0",
      async run(c) {
        const leaver = await c.start({ grace: 100 });
        const job = await c.tasks.gate.enqueue();
        await leaver.saw("started", { id: job.id });
        assert.equal((await leaver.stop()).code, 0);
        assert.equal((await leaver.saw("aborted", { id: job.id })).detail, "ShutdownError");
        await assertRunsUncounted(c, job);
      },
    },
    {
      name: "gives everything back at once after a second SIGTERM, uncounted",
      async run(c) {
        const leaver = await c.start({ grace: "1h" });
        const job = await c.tasks.gate.enqueue({ stubborn: true });
        await leaver.saw("started", { id: job.id });
        leaver.signal("SIGTERM");
        await leaver.saw("stopping");
        assert.equal((await leaver.stop()).code, FORCED_EXIT);
        await assertRunsUncounted(c, job);
      },
    },
  ],
};

/** Two jobs run and three are prefetched when the signal comes; a sixth is enqueued after it. */
async function assertFinishes(c: WorkerContext): Promise<void> {
  const running = await c.tasks.gate.enqueueMany([[], []]);
  const prefetched = await c.tasks.note.enqueueMany([[], [], []]);
  const leaver = await c.start({ concurrency: 2, prefetch: 3 });
  await Promise.all(running.map(({ id }) => leaver.saw("started", { id })));
  leaver.signal("SIGTERM");
  await leaver.saw("stopping");
  const late = await c.tasks.note.enqueue();
  const heir = await c.start();
  const elsewhere = [...prefetched, late];
  assert.deepEqual(await c.completed(elsewhere), new Array(4).fill({ pid: heir.pid, attempt: 1 }));

  for (const { id } of running) leaver.open(id);
  assert.deepEqual(await c.completed(running), new Array(2).fill({ pid: leaver.pid, attempt: 1 }));
  assert.equal((await leaver.exit).code, 0);
  await heir.stop();
  assert.equal(c.audit([...running, ...elsewhere]).repeated, 0);
}

async function assertRunsUncounted(
  c: WorkerContext,
  job: Awaited<ReturnType<WorkerContext["tasks"]["gate"]["enqueue"]>>,
) {
  const heir = await c.start();
  await heir.saw("started", { id: job.id, attempt: 1 });
  heir.open(job.id);
  assert.deepEqual(await c.completed([job]), [{ pid: heir.pid, attempt: 1 }]);
  await heir.stop();
  c.audit([job]);
}
