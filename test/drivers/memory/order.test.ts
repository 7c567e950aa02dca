import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { DelayedHeap } from "../../../src/drivers/memory/heap.js";
import { StoredJob } from "../../../src/drivers/memory/job.js";
import { isOlder } from "../../../src/drivers/memory/line.js";
import { Queue } from "../../../src/drivers/memory/queue.js";
import { connect, consume, job, QUEUE } from "./support.js";

describe("the heap of delayed jobs", () => {
  test("gives them in order of when they are due, whichever leave from its middle", () => {
    const queue = new Queue(QUEUE);
    fc.assert(
      fc.property(fc.array(fc.record({ due: fc.nat(50), leaves: fc.boolean() })), (entries) => {
        const heap = new DelayedHeap();
        const jobs = entries.map(
          ({ due }, index) => new StoredJob(job(`${index}`, { notBefore: { at: due } }), queue, index, 0),
        );
        for (const one of jobs) heap.add(one);
        for (const [index, { leaves }] of entries.entries()) if (leaves && jobs[index]) heap.remove(jobs[index]);
        const staying = jobs.filter((_, index) => !entries[index]?.leaves);
        const given: StoredJob[] = [];
        for (let first = heap.first; first; first = heap.first) {
          given.push(first);
          heap.remove(first);
        }
        expect(given).toEqual(staying.sort((a, b) => (isOlder(a, b) ? -1 : 1)));
      }),
    );
  });
});

test("jobs given back are claimed again before younger ones, in their old order", async () => {
  const connection = await connect();
  const consumer = await consume(connection);
  await connection.broker.publish(["a", "b", "c", "d", "e"].map((id) => job(id)));
  const claim = (max: number) => consumer.claim({ queues: [QUEUE], max, wait: 0 });
  const leases = await claim(3);
  await consumer.settle([...leases].reverse().map((lease) => ({ kind: "release", lease, delay: 0 })));
  expect((await claim(5)).map(({ id }) => id)).toEqual(["a", "b", "c", "d", "e"]);
});
