/** Arguments and results checked by a schema: zod here; any library that speaks Standard Schema will do. */
import assert from "node:assert/strict";
import { Taskwright, ValidationError } from "taskwright";
import { z } from "zod";

await using app = new Taskwright({ broker: "memory://shop" });

const Order = z.object({ id: z.string(), items: z.array(z.string()).min(1), express: z.boolean().default(false) });

const pack = app.task("order.pack", { input: Order, output: z.string() }, (order) => {
  return `${order.items.length} items, ${order.express ? "express" : "standard"}`;
});

await using worker = app.worker();
await worker.start();

assert.equal(await pack.enqueue({ id: "1", items: ["cup"] }).result({ timeout: "5s" }), "1 items, standard");

// What does not fit is refused where it is enqueued, and never becomes a job.
await assert.rejects(async () => await pack.enqueue({ id: "2", items: [] }), ValidationError);

// The worker checks again, since others may know nothing of the schema: a dead letter, not a crash.
await using other = new Taskwright({ broker: "memory://shop" });
const job = await other.send("order.pack", { args: [{ id: 3 }] });
await assert.rejects(job.result({ timeout: "5s" }), ValidationError);
assert.equal(await job.state(), "dead");
