/** A task, a worker and a result, in one process. */
import assert from "node:assert/strict";
import { Taskwright } from "taskwright";

await using app = new Taskwright({ broker: "memory:" });
const add = app.task("add", (a: number, b: number) => a + b);

await using worker = app.worker({ concurrency: 10 });
await worker.start();

assert.equal(add(2, 3), 5); // calling a task runs it here
const job = await add.enqueue(2, 3); // enqueue sends it to a worker
assert.equal(await job.result({ timeout: "5s" }), 5);
assert.equal(await job.state(), "completed");

const jobs = await add.enqueueMany([
  [1, 2],
  [3, 4],
]);
assert.deepEqual(await Promise.all(jobs.map((one) => one.result({ timeout: "5s" }))), [3, 7]);
