import assert from "node:assert/strict";
import { LeaseLostError } from "../../job/errors.js";
import type { Job } from "../../job/handle.js";
import type { WorkerCaseGroup } from "./case.js";
import type { WorkerContext } from "./context.js";
import { Crew } from "./crew.js";
import type { Mark } from "./tasks.js";
import type { WorkerProcess } from "./worker-process.js";

/** How much longer than it should a busy machine may take, in ms. */
const SLACK = 2000;

export const crashes: WorkerCaseGroup = {
  name: "crashes",
  cases: [
    { name: "runs the jobs of a killed process elsewhere, within lease and sweep", run: assertRunElsewhere },
    {
      name: "counts attempts that died with their process, and ends at the limit",
      async run(c) {
        const last = await c.tasks.gate.with({ attempts: 1 }).enqueue();
        await killDuring(c, await c.start(), [last]);
        const next = await c.start();
        await assertLeaseLost(c, last, { runs: 1, losses: 1 });
        await next.stop();
        c.audit([last]);
      },
    },
    { name: "parks a job that kills its processes, while its neighbours complete", run: assertPoisonParked },
    {
      name: "loses an at-most-once job rather than run it twice",
      async run(c) {
        const witness = await c.tasks.gate.enqueue();
        const once = await c.tasks.gate.with({ delivery: "at-most-once" }).enqueue();
        await killDuring(c, await c.start(), [once, witness]);
        const next = await c.start();
        await next.saw("started", { id: witness.id, attempt: 2 });
        next.open(witness.id);
        await c.completed([witness]);
        await next.stop();
        assert.equal(c.runs(once).length, 1);
        assert.notEqual(await once.state(), "waiting");
        c.audit([witness, once]);
      },
    },
    {
      name: "parks a job of an unknown task at once, with its reason",
      async run(c) {
        await c.start();
        const stray = c.app.send("conformance.unheard-of", { args: [1] });
        await assert.rejects(stray.result({ timeout: "15s" }), { code: "unknown-task" });
      },
    },
  ],
};

/** Waits until all of the jobs run in the process, and kills it. */
async function killDuring(c: WorkerContext, doomed: WorkerProcess, jobs: readonly Job<Mark>[]): Promise<number> {
  await Promise.all(jobs.map(({ id }) => doomed.saw("started", { id })));
  const killed = c.now();
  await doomed.kill();
  return killed;
}

async function assertRunElsewhere(c: WorkerContext): Promise<void> {
  const doomed = await c.start({ concurrency: 5 });
  const held = await c.tasks.gate.enqueueMany([[], [], [], [], []]);
  await Promise.all(held.map(({ id }) => doomed.saw("started", { id })));
  const heir = await c.start();
  const killed = await killDuring(c, doomed, held);
  const again = await Promise.all(held.map(({ id }) => heir.saw("started", { id, attempt: 2 })));
  for (const { id } of held) heir.open(id);
  const marks = await c.completed(held);
  assert.deepEqual(new Set(marks.map(({ pid, attempt }) => `${pid} ${attempt}`)), new Set([`${heir.pid} 2`]));

  const took = Math.max(...again.map(({ at }) => at)) - killed;
  const sweep = c.lease / 4;
  c.report(`jobs of a killed process ran elsewhere after ${took.toFixed(0)} ms (lease ${c.lease}, sweep ${sweep})`);
  if (c.capabilities.leases === "timed") assert.ok(took <= c.lease + 2 * sweep + SLACK, `after ${took} ms`);
  await heir.stop();
  assert.equal(c.audit(held).repeated, held.length);
}

/** All are there before the first process is, so its first claim takes them together, the poison in their midst. */
async function assertPoisonParked(c: WorkerContext): Promise<void> {
  const lengths = Array.from({ length: 25 }, (): [number] => [20]);
  const before = await c.tasks.hold.enqueueMany(lengths);
  const poison = await c.tasks.kill.with({ attempts: 10 }).enqueue();
  const neighbours = [...before, ...(await c.tasks.hold.enqueueMany(lengths))];
  const crew = await Crew.start(c, 1, { concurrency: 100 });
  try {
    await c.completed(neighbours);
    await assertLeaseLost(c, poison, { runs: 3, losses: 3 });
    await crew.stop();
    const { runs } = c.audit([...neighbours, poison]);
    const dragged = neighbours.filter(({ id }) => (runs.get(id)?.length ?? 0) > 1).length;
    c.report(
      `${dragged} of ${neighbours.length} neighbours of a job that killed 3 processes were dragged along, and completed`,
    );
  } finally {
    crew.disband();
  }
}

async function assertLeaseLost(
  c: WorkerContext,
  job: Job<Mark>,
  { runs, losses }: { runs: number; losses: number },
): Promise<void> {
  const outcome = await c.outcome(job);
  assert.equal(outcome.state, "dead");
  assert.ok("error" in outcome && outcome.error instanceof LeaseLostError, String("error" in outcome && outcome.error));
  assert.equal(c.runs(job).length, runs);
  if (!c.capabilities.inspect) return;
  const found = await c.app.inspect.find(job.id);
  assert.deepEqual([found?.state, found?.reason, found?.losses], ["dead", "lease-lost", losses]);
}
