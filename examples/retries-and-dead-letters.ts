/** Failed attempts are repeated; what fails for good is kept as a dead letter, with its reason, and can be retried. */
import assert from "node:assert/strict";
import { currentJob, DeadLetter, Discard, Retry, Snooze, Taskwright } from "taskwright";

await using app = new Taskwright({
  broker: "memory:",
  defaults: { attempts: 3, backoff: { type: "fixed", delay: 10 } },
});

const flaky = app.task("flaky", () => {
  const { attempt, attempts } = currentJob();
  if (attempt < 3) throw new Error(`attempt ${attempt} of ${attempts} failed`);
  return attempt;
});

let repaired = false;
const broken = app.task("broken", () => {
  if (!repaired) throw new RangeError("out of paper");
  return "printed";
});

let asked = 0;
const decide = app.task("decide", (what: "retry" | "snooze" | "discard" | "dead") => {
  if (what === "discard") throw new Discard("nobody wants it any more");
  if (what === "dead") throw new DeadLetter("no such invoice");
  if (what === "snooze" && asked++ === 0) throw new Snooze("10ms"); // does not use up an attempt
  if (what === "retry" && currentJob().attempt === 1) throw new Retry({ delay: "10ms" });
  return currentJob().attempt;
});

await using worker = app.worker();
await worker.start();

assert.equal(await flaky.enqueue().result({ timeout: "5s" }), 3);

const job = await broken.enqueue();
await assert.rejects(job.result({ timeout: "5s" }), /out of paper/);
assert.deepEqual([await job.state(), (await job.attempts()).length], ["dead", 3]);
repaired = true;
assert.equal(await job.retry(), true);
assert.equal(await job.result({ timeout: "5s" }), "printed");

assert.equal(await decide.enqueue("retry").result({ timeout: "5s" }), 2);
assert.equal(await decide.enqueue("snooze").result({ timeout: "5s" }), 1);
await assert.rejects(decide.enqueue("discard").result({ timeout: "5s" }), /nobody wants it/);
await assert.rejects(decide.enqueue("dead").result({ timeout: "5s" }), /no such invoice/);
