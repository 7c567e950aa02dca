/** Labels are metadata that travels with a job. Here every job inherits the tenant of the job that enqueued it. */
import assert from "node:assert/strict";
import { currentJob, Taskwright } from "taskwright";

await using app = new Taskwright({ broker: "memory:" });

app.use({
  preSend(job) {
    const tenant = tenantOfRunningJob();
    if (tenant !== undefined) job.labels = { tenant, ...job.labels };
  },
});

function tenantOfRunningJob() {
  try {
    return currentJob().labels.tenant;
  } catch {
    return undefined; // not inside a job
  }
}

const inner = app.task("inner", () => {
  const { labels, parentId } = currentJob();
  return { tenant: labels.tenant, parentId };
});

const outer = app.task("outer", async () => {
  const { labels } = currentJob();
  const child = await inner.enqueue();
  return { tenant: labels.tenant, child: await child.result({ timeout: "5s" }) };
});

await using worker = app.worker();
await worker.start();

const job = await outer.with({ labels: { tenant: "acme" } }).enqueue();
const expected = { tenant: "acme", child: { tenant: "acme", parentId: job.id } };
assert.deepEqual(await job.result({ timeout: "5s" }), expected);
