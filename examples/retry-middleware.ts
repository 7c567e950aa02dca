/** Middleware that decides about retries for all tasks: a service that says when to come back is believed. */
import assert from "node:assert/strict";
import { Retry, Taskwright } from "taskwright";

class RateLimited extends Error {
  constructor(readonly resetIn: number) {
    super(`rate limited for ${resetIn} ms`);
  }
}

// The task's own backoff would wait an hour.
await using app = new Taskwright({ broker: "memory:", defaults: { backoff: { type: "fixed", delay: "1h" } } });
const ends: string[] = [];
app.use({
  onError: (_job, error) => (error instanceof RateLimited ? new Retry({ delay: error.resetIn }) : undefined),
  postSave: (job, outcome) => {
    ends.push(`${job.task} ${job.attempt}: ${outcome.state}`);
  },
});

let calls = 0;
const fetchPage = app.task("page.fetch", () => {
  calls++;
  if (calls === 1) throw new RateLimited(20);
  return "the page";
});

await using worker = app.worker();
await worker.start();

assert.equal(await fetchPage.enqueue().result({ timeout: "5s" }), "the page");
await worker.stop();
assert.deepEqual(ends, ["page.fetch 1: retrying", "page.fetch 2: completed"]);
