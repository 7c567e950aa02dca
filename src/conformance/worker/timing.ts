import assert from "node:assert/strict";
import { ExpiredError } from "../../job/errors.js";
import type { WorkerCaseGroup } from "./case.js";
import { median, type WorkerContext } from "./context.js";
import { within } from "./within.js";

/** How late a busy machine may be, in ms. */
const SLACK = 2000;

/** Calls whose time is measured. */
const CALLS = 50;

/** Far above what any driver that pushes takes: only a machine at its limits, or polling, comes near it. */
const SLOWEST_MEDIAN = 50;

export const timing: WorkerCaseGroup = {
  name: "timing",
  cases: [
    {
      name: "runs a job of one second's delay before one of an hour's, and not early",
      requires: ({ delay }) => delay,
      async run(c) {
        await c.start();
        const far = await c.tasks.note.with({ delay: "1h" }).enqueue();
        const enqueued = c.now();
        const near = await c.tasks.note.with({ delay: "1s" }).enqueue();
        await c.completed([near]);
        const waited = (c.runs(near)[0]?.started ?? 0) - enqueued;
        c.report(`a job delayed by 1,000 ms started after ${waited.toFixed(0)} ms`);
        assert.ok(waited >= 995 && waited < 1000 + SLACK, `after ${waited} ms`);
        assert.deepEqual(c.runs(far), []);
        if (c.capabilities.inspect) assert.equal(await far.state(), "scheduled");
      },
    },
    {
      name: "runs higher priorities first, and the oldest first within one",
      requires: ({ priority, fifo }) => priority && fifo,
      run: assertOrder,
    },
    {
      name: "does not run a job that expired before there was a worker",
      async run(c) {
        const job = await c.tasks.note.with({ expires: 50 }).enqueue();
        // What is waited for is the passing of the time itself.
        await new Promise((resolve) => setTimeout(resolve, 60));
        await c.start();
        const outcome = await c.outcome(job);
        assert.equal(outcome.state, "cancelled");
        assert.ok("error" in outcome && outcome.error instanceof ExpiredError);
        assert.deepEqual(c.runs(job), []);
      },
    },
    {
      name: "pushes results to a producer in another process",
      requires: ({ push }) => push,
      run: assertPushed,
    },
  ],
};

async function assertOrder(c: WorkerContext): Promise<void> {
  const priorities = [0, 5, 9, 0, 5, 9, 3, 3, 7, 1];
  const jobs: { readonly id: string; readonly priority: number }[] = [];
  for (const priority of priorities) {
    const { id } = await c.tasks.note.with({ priority }).enqueue();
    jobs.push({ id, priority });
  }
  const last = await c.tasks.note.enqueue();
  await c.start({ concurrency: 1 });
  await c.completed([last]);
  const expected = [...jobs].sort((a, b) => b.priority - a.priority).map(({ id }) => id);
  const started = c.entries().filter(({ what }) => what === "started");
  assert.deepEqual(
    started.map(({ id }) => id),
    [...expected, last.id],
  );
}

/** Enqueue to result, one call after the other: what a caller of a quiet system sees. */
async function assertPushed(c: WorkerContext): Promise<void> {
  await c.start();
  await c.completed([await c.tasks.note.enqueue()]);
  const times: number[] = [];
  for (let call = 0; call < CALLS; call++) {
    const asked = c.now();
    await within(c.tasks.note.enqueue().result(), "a result");
    times.push(c.now() - asked);
  }
  const typical = median(times);
  const worst = Math.max(...times);
  c.report(
    `enqueue to result in another process: median ${typical.toFixed(1)} ms, worst of ${CALLS} ${worst.toFixed(1)} ms`,
  );
  assert.ok(typical < SLOWEST_MEDIAN, `median ${typical} ms`);
}
