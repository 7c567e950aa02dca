import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import type { WorkerCaseGroup } from "./case.js";
import type { WorkerContext } from "./context.js";

export const fencing: WorkerCaseGroup = {
  name: "fencing",
  cases: [
    {
      name: "fences out a process that was stopped for longer than its lease",
      requires: ({ leases }) => leases === "timed",
      run: assertStoppedIsFenced,
    },
    {
      name: "fences out a handler that blocked its process for longer than its lease",
      requires: ({ leases }) => leases === "timed",
      run: assertBlockedIsFenced,
    },
    {
      name: "runs a job of three leases once, since heartbeats renew its lease",
      async run(c) {
        await Promise.all([c.start(), c.start()]);
        const job = await c.tasks.hold.enqueue(3 * c.lease);
        const [mark] = await c.completed([job]);
        assert.equal(mark?.attempt, 1);
        assert.equal(c.audit([job]).repeated, 0);
        assert.equal(c.runs(job).length, 1);
      },
    },
  ],
};

/** SIGSTOP, a second attempt elsewhere, SIGCONT: the first one finds its lease gone, and its result is dropped. */
async function assertStoppedIsFenced(c: WorkerContext): Promise<void> {
  const first = await c.start();
  const job = await c.tasks.gate.enqueue({ stubborn: true });
  await first.saw("started", { id: job.id, attempt: 1 });
  first.signal("SIGSTOP");
  const second = await c.start();
  await second.saw("started", { id: job.id, attempt: 2 });

  first.signal("SIGCONT");
  assert.equal((await first.saw("aborted", { id: job.id })).detail, "LeaseLostError");
  await first.saw("lost", { id: job.id, attempt: 1 });
  first.open(job.id);
  await first.saw("ended", { id: job.id, attempt: 1 });
  assert.equal((await first.stop()).code, 0);
  assert.equal(await job.state(), c.capabilities.inspect ? "active" : "unknown");

  second.open(job.id);
  assert.deepEqual(await c.completed([job]), [{ pid: second.pid, attempt: 2 }]);
  await second.stop();
  assert.equal(c.audit([job]).repeated, 1);
}

/** The blocked handler returns after the second attempt has completed: its value must not replace that one's. */
async function assertBlockedIsFenced(c: WorkerContext): Promise<void> {
  const free = join(c.ledger, "free");
  const first = await c.start();
  const job = await c.tasks.block.enqueue(free);
  await first.saw("started", { id: job.id, attempt: 1 });
  const second = await c.start();
  const value = { pid: second.pid, attempt: 2 };
  assert.deepEqual(await c.completed([job]), [value]);

  writeFileSync(free, "");
  await first.saw("ended", { id: job.id, attempt: 1 });
  await first.saw("lost", { id: job.id, attempt: 1 });
  assert.equal((await first.stop()).code, 0);
  await second.stop();
  assert.deepEqual(await c.completed([job]), [value]);
  assert.equal(c.audit([job]).repeated, 1);
}
