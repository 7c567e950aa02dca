import assert from "node:assert/strict";
import type { Consumer, SweepOptions } from "../../contracts/broker.js";
import type { CaseGroup } from "./case.js";
import { bytes, type CaseContext, idsOf, QUEUE, sameBytes } from "./context.js";

const AT_ONCE: SweepOptions = { max: 100, delay: 0, jitter: 0 };

export const leases: CaseGroup = {
  name: "leases",
  contracts: ["broker"],
  cases: [
    {
      name: "last their time without an `extend`",
      requires: ({ leases }) => leases === "timed",
      async run(c) {
        const consumer = await c.consumer({ lease: 6 * c.unit });
        const lease = await c.claimedJob(consumer);
        await c.advance(3 * c.unit);
        assert.deepEqual(await c.broker.sweep(AT_ONCE), { recovered: 0 });
        assert.deepEqual(await consumer.settle([{ kind: "complete", lease }]), ["settled"]);
      },
    },
    {
      name: "last as long as they are extended",
      requires: ({ leases }) => leases === "timed",
      async run(c) {
        const consumer = await c.consumer({ lease: 6 * c.unit });
        const lease = await c.claimedJob(consumer);
        for (let beat = 0; beat < 4; beat++) {
          await c.advance(3 * c.unit);
          assert.deepEqual(await consumer.extend([lease]), ["held"]);
          assert.deepEqual(await c.broker.sweep(AT_ONCE), { recovered: 0 });
        }
        await c.complete(consumer, [lease]);
      },
    },
    {
      name: "pass when they are not extended, and the job is claimed again as another attempt",
      requires: ({ leases }) => leases === "timed",
      async run(c) {
        const gone = await c.consumer({ lease: 2 * c.unit });
        const first = await c.claimedJob(gone);
        await gone.settle([{ kind: "retry", lease: first, delay: 0, history: bytes("h") }]);
        const lost = await c.takeOne(gone);
        await c.advance(3 * c.unit);
        assert.deepEqual(await c.broker.sweep(AT_ONCE), { recovered: 1 });
        const again = await c.takeOne(await c.consumer());
        assert.deepEqual([again.id, again.attempt, again.losses], [lost.id, 3, 1]);
        sameBytes(again.history, bytes("h"));
        assert.deepEqual(await gone.extend([lost]), ["lost"]);
      },
    },
    {
      name: "keep the rest of a queue going while one is lost",
      requires: ({ leases }) => leases === "timed",
      async run(c) {
        const gone = await c.consumer({ lease: 2 * c.unit });
        await c.claimedJob(gone);
        const id = await c.publishOne();
        const other = await c.consumer();
        assert.equal((await c.takeOne(other)).id, id);
        await c.nothing(other);
      },
    },
    {
      name: "count each loss",
      requires: ({ leases }) => leases === "timed",
      async run(c) {
        const consumer = await c.consumer({ lease: 2 * c.unit });
        await c.publish({});
        for (let losses = 0; losses < 4; losses++) {
          const job = await c.takeOne(consumer);
          assert.deepEqual([job.losses, job.attempt], [losses, losses + 1]);
          await c.advance(3 * c.unit);
          assert.deepEqual(await c.broker.sweep(AT_ONCE), { recovered: 1 });
        }
      },
    },
    {
      name: "count losses apart from releases and retries",
      requires: ({ leases }) => leases === "timed",
      async run(c) {
        const consumer = await c.consumer({ lease: 4 * c.unit });
        await c.claimedJob(consumer);
        await c.advance(5 * c.unit);
        await c.broker.sweep(AT_ONCE);
        await consumer.settle([{ kind: "release", lease: await c.takeOne(consumer), delay: 0 }]);
        await consumer.settle([{ kind: "retry", lease: await c.takeOne(consumer), delay: 0, history: bytes("h") }]);
        const job = await c.takeOne(consumer);
        assert.deepEqual([job.attempt, job.losses], [3, 1]);
      },
    },
  ],
};

export const sweeping: CaseGroup = {
  name: "sweeping",
  contracts: ["broker"],
  cases: [
    {
      name: "recovers nothing where nothing is lost",
      async run(c) {
        await c.publish({});
        assert.deepEqual(await c.broker.sweep(AT_ONCE), { recovered: 0 });
      },
    },
    {
      name: "makes a lost job due again after the delay, and not before",
      requires: ({ leases }) => leases === "timed",
      async run(c) {
        const ids = await loseLeases(c, 1);
        await c.broker.sweep({ max: 10, delay: 4 * c.unit, jitter: 0 });
        const consumer = await c.consumer();
        await c.advance(2 * c.unit);
        await c.nothing(consumer);
        await c.advance(2 * c.unit);
        assert.deepEqual([(await c.takeOne(consumer)).id], ids);
      },
    },
    {
      name: "spreads lost jobs between delay and delay + jitter",
      requires: ({ leases, inspect }) => leases === "timed" && inspect,
      async run(c) {
        const ids = await loseLeases(c, 30);
        const [delay, jitter] = [1000 * c.unit, 500 * c.unit];
        const before = (await c.connection.ping()).time;
        await c.broker.sweep({ max: 100, delay, jitter });
        const after = (await c.connection.ping()).time;
        const dueTimes = (await c.inspector.find(ids)).map((job) => job?.dueAt ?? 0);
        assert.ok(Math.min(...dueTimes) >= before + delay - 1, "none before the delay");
        assert.ok(Math.max(...dueTimes) <= after + delay + jitter + 1, "none after delay + jitter");
        assert.ok(new Set(dueTimes).size > 10, "not all at once");
      },
    },
    {
      name: "recovers at most `max` in one call",
      requires: ({ leases }) => leases === "timed",
      async run(c) {
        const ids = await loseLeases(c, 5);
        assert.deepEqual(await c.broker.sweep({ ...AT_ONCE, max: 2 }), { recovered: 2 });
        assert.deepEqual(await c.broker.sweep({ ...AT_ONCE, max: 2 }), { recovered: 2 });
        assert.deepEqual(await c.broker.sweep({ ...AT_ONCE, max: 2 }), { recovered: 1 });
        assert.deepEqual(idsOf(await c.take(await c.consumer(), 5)).sort(), ids.sort());
      },
    },
    {
      name: "recovers each lost job once when two sweep at once",
      requires: ({ leases }) => leases === "timed",
      async run(c) {
        await loseLeases(c, 50);
        const other = c.part("broker", await c.connect());
        const reports = await Promise.all([c.broker.sweep(AT_ONCE), other.sweep(AT_ONCE)]);
        const consumer = await c.consumer();
        const jobs = await c.take(consumer, 50);
        assert.equal((reports[0]?.recovered ?? 0) + (reports[1]?.recovered ?? 0), 50);
        assert.ok(
          jobs.every((job) => job.losses === 1 && job.attempt === 2),
          "one loss each",
        );
        await c.nothing(consumer);
      },
    },
    {
      name: "wakes a claim that waits",
      requires: ({ leases }) => leases === "timed",
      async run(c) {
        const [id] = await loseLeases(c, 1);
        const consumer = await c.consumer();
        const claim = consumer.claim({ queues: [QUEUE], max: 1, wait: 1000 * c.unit });
        await c.advance(1);
        await c.broker.sweep(AT_ONCE);
        assert.deepEqual(idsOf(await c.within(claim)), [id]);
      },
    },
  ],
};

/** Publishes and claims jobs and lets their leases pass. */
async function loseLeases(c: CaseContext, count: number): Promise<string[]> {
  const gone: Consumer = await c.consumer({ lease: 2 * c.unit });
  const ids = await c.publish(...Array.from({ length: count }, () => ({})));
  await c.take(gone, count);
  await c.advance(3 * c.unit);
  return ids;
}
