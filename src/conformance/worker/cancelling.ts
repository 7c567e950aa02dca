import assert from "node:assert/strict";
import { CancelledError } from "../../job/errors.js";
import type { WorkerCaseGroup } from "./case.js";

export const cancelling: WorkerCaseGroup = {
  name: "cancelling",
  cases: [
    {
      name: "stops an active job on another process",
      requires: ({ cancel }) => cancel,
      async run(c) {
        const worker = await c.start();
        const job = await c.tasks.gate.enqueue();
        await worker.saw("started", { id: job.id });
        const asked = c.now();
        assert.equal(await job.cancel(), "requested");
        const { at, detail } = await worker.saw("aborted", { id: job.id });
        assert.equal(detail, "CancelledError");
        c.report(`an active job was told of its cancellation after ${(at - asked).toFixed(1)} ms`);
        const outcome = await c.outcome(job);
        assert.equal(outcome.state, "cancelled");
        assert.ok("error" in outcome && outcome.error instanceof CancelledError);
        assert.equal(c.runs(job).length, 1);
      },
    },
    {
      name: "never runs a job that was cancelled while it waited",
      requires: ({ cancel }) => cancel,
      async run(c) {
        const job = await c.tasks.note.enqueue();
        const next = await c.tasks.note.enqueue();
        assert.equal(await job.cancel(), "cancelled");
        await c.start();
        await c.completed([next]);
        assert.equal((await c.outcome(job)).state, "cancelled");
        assert.deepEqual(c.runs(job), []);
      },
    },
  ],
};
