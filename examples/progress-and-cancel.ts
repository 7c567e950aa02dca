/** A job tells how far it is, and stops when it is told to. */
import assert from "node:assert/strict";
import { CancelledError, currentJob, Taskwright } from "taskwright";

await using app = new Taskwright({ broker: "memory:" });

const copy = app.task("copy", async (files: string[]) => {
  const job = currentJob();
  for (const [index, file] of files.entries()) {
    await job.log(`copied ${file}`);
    await job.progress({ done: index + 1, total: files.length });
  }
});

const waitForever = app.task("wait", async () => {
  const { signal } = currentJob();
  await currentJob().progress("waiting");
  await new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason)));
});

await using worker = app.worker();
await worker.start();

const job = await copy.enqueue(["a.txt", "b.txt"]);
await job.result({ timeout: "5s" });
assert.deepEqual(await job.progress().last(), { done: 2, total: 2 });
assert.deepEqual(await job.logs(), ["copied a.txt", "copied b.txt"]);

const endless = await waitForever.enqueue();
for await (const value of endless.progress()) {
  assert.equal(value, "waiting"); // it runs now, so cancelling aborts its signal
  assert.equal(await endless.cancel(), "requested");
}
await assert.rejects(endless.result({ timeout: "5s" }), CancelledError);
assert.equal(await endless.state(), "cancelled");
