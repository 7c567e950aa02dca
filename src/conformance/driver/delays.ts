import assert from "node:assert/strict";
import type { CaseGroup } from "./case.js";
import { idsOf, QUEUE } from "./context.js";

const HOUR = 3_600_000;
const DAY = 24 * HOUR;

export const delays: CaseGroup = {
  name: "delays",
  contracts: ["broker"],
  cases: [
    {
      name: "a 1 s delay behind a 1 h delay fires after 1 s",
      requires: ({ delay }) => delay,
      async run(c) {
        const [, short] = await c.publish({ notBefore: { in: HOUR } }, { notBefore: { in: 1000 } });
        const consumer = await c.consumer();
        await c.advance(500);
        await c.nothing(consumer);
        await c.advance(500);
        assert.equal((await c.takeOne(consumer)).id, short);
        await c.nothing(consumer);
      },
    },
    {
      name: "can be absolute",
      requires: ({ delay }) => delay,
      async run(c) {
        const { time } = await c.connection.ping();
        const [id] = await c.publish({ notBefore: { at: time + 10 * c.unit } }, { notBefore: { at: time + HOUR } });
        const consumer = await c.consumer();
        await c.advance(2 * c.unit);
        await c.nothing(consumer);
        await c.advance(8 * c.unit);
        assert.equal((await c.takeOne(consumer)).id, id);
        await c.nothing(consumer);
      },
    },
    {
      name: "of a moment in the past, or of nothing, are none",
      requires: ({ delay }) => delay,
      async run(c) {
        const { time } = await c.connection.ping();
        const ids = await c.publish({ notBefore: { at: time - HOUR } }, { notBefore: { in: 0 } });
        assert.deepEqual(idsOf(await c.take(await c.consumer(), 2)).sort(), ids.sort());
      },
    },
    {
      name: "of a moment in the past do not let a job overtake those that wait",
      requires: ({ delay, fifo }) => delay && fifo,
      async run(c) {
        const { time } = await c.connection.ping();
        const ids = [await c.publishOne(), await c.publishOne({ notBefore: { at: time - HOUR } })];
        assert.deepEqual(idsOf(await c.take(await c.consumer(), 2)), ids);
      },
    },
    {
      name: "that end at one moment keep the order of publishing",
      requires: ({ delay, fifo }) => delay && fifo,
      async run(c) {
        const at = (await c.connection.ping()).time + 2 * c.unit;
        const ids = await c.publish(...Array.from({ length: 20 }, () => ({ notBefore: { at } })));
        await c.advance(3 * c.unit);
        assert.deepEqual(idsOf(await c.take(await c.consumer(), 20)), ids);
      },
    },
    {
      name: "of 60 days hold, and do not trouble a claim that waits",
      requires: ({ delay }) => delay,
      async run(c) {
        await c.publish({ notBefore: { in: 60 * DAY } });
        const consumer = await c.consumer();
        const claim = consumer.claim({ queues: [QUEUE], max: 1, wait: 4 * c.unit });
        assert.deepEqual(await c.within(claim), []);
      },
    },
    {
      name: "end in order of when they are due, whatever the order of publishing",
      requires: ({ delay, fifo }) => delay && fifo,
      async run(c) {
        const delay = [7, 2, 9, 4, 1, 8, 3, 6, 5];
        const ids = await c.publish(...delay.map((units) => ({ notBefore: { in: units * c.unit } })));
        await c.advance(10 * c.unit);
        const claimed = await c.take(await c.consumer(), delay.length);
        const expected = [...delay.keys()].sort((a, b) => (delay[a] ?? 0) - (delay[b] ?? 0)).map((index) => ids[index]);
        assert.deepEqual(idsOf(claimed), expected);
      },
    },
    {
      name: "keep the job's queue and priority",
      requires: ({ delay, priority }) => delay && priority,
      async run(c) {
        const later = { notBefore: { in: 2 * c.unit } };
        await c.publish(
          { ...later, priority: 1 },
          { ...later, priority: 7 },
          { ...later, queue: "other", priority: 9 },
        );
        await c.advance(3 * c.unit);
        const consumer = await c.consumer({ queues: [QUEUE, "other"] });
        assert.deepEqual(
          (await c.take(consumer, 2)).map((job) => job.priority),
          [7, 1],
        );
        assert.equal((await c.takeOne(consumer, ["other"])).priority, 9);
      },
    },
  ],
};

export const expiry: CaseGroup = {
  name: "expiry",
  contracts: ["broker"],
  cases: [
    {
      name: "flags a job that is claimed after its time, relative or absolute",
      async run(c) {
        const { time } = await c.connection.ping();
        await c.publish({ expires: { in: 2 * c.unit } }, { expires: { at: time + 2 * c.unit } });
        await c.advance(3 * c.unit);
        const jobs = await c.take(await c.consumer(), 2);
        assert.deepEqual(
          jobs.map((job) => job.expired),
          [true, true],
        );
      },
    },
    {
      name: "does not flag a job that is claimed in time",
      async run(c) {
        const consumer = await c.consumer();
        assert.equal((await c.claimedJob(consumer, { expires: { in: HOUR } })).expired, false);
        assert.equal((await c.claimedJob(consumer)).expired, false);
      },
    },
    {
      name: "counts from publishing, not from the end of a delay",
      requires: ({ delay }) => delay,
      async run(c) {
        await c.publish({ notBefore: { in: 3 * c.unit }, expires: { in: 2 * c.unit } });
        await c.advance(4 * c.unit);
        assert.equal((await c.takeOne(await c.consumer())).expired, true);
      },
    },
    {
      name: "holds for a later attempt as well",
      async run(c) {
        const consumer = await c.consumer();
        const lease = await c.claimedJob(consumer, { expires: { in: 3 * c.unit } });
        assert.equal(lease.expired, false);
        await consumer.settle([{ kind: "retry", lease, delay: 4 * c.unit, history: new Uint8Array([1]) }]);
        await c.advance(5 * c.unit);
        assert.equal((await c.takeOne(consumer)).expired, true);
      },
    },
  ],
};
