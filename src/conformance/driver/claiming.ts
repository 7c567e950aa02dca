import assert from "node:assert/strict";
import type { ClaimRequest } from "../../contracts/broker.js";
import type { CaseGroup } from "./case.js";
import { bytes, type CaseContext, idsOf, QUEUE } from "./context.js";

export const claiming: CaseGroup = {
  name: "claiming",
  contracts: ["broker"],
  cases: [
    {
      name: "leases a job with its first attempt counted and a token of this claim's own",
      async run(c) {
        await c.publish({ priority: c.capabilities.priority ? 4 : 0 });
        const consumer = await c.consumer();
        const first = await c.takeOne(consumer);
        assert.deepEqual([first.attempt, first.losses, first.expired, first.history], [1, 0, false, undefined]);
        assert.equal(first.priority, c.capabilities.priority ? 4 : 0);
        await consumer.settle([{ kind: "release", lease: first, delay: 0 }]);
        assert.notEqual((await c.takeOne(consumer)).token, first.token);
      },
    },
    {
      name: "takes higher priorities first",
      requires: ({ priority }) => priority,
      async run(c) {
        const priorities = [0, 5, 9, 1, 5, 8, 2, 7, 3, 6, 4];
        await c.publish(...priorities.map((priority) => ({ priority })));
        const claimed = await c.take(await c.consumer(), priorities.length);
        assert.deepEqual(
          claimed.map((job) => job.priority),
          [...priorities].sort((a, b) => b - a),
        );
      },
    },
    {
      name: "takes the oldest first within one priority",
      requires: ({ fifo, priority }) => fifo && priority,
      async run(c) {
        const low = await c.publish({}, {}, {});
        const high = await c.publish({ priority: 3 }, { priority: 3 });
        const lower = await c.publish({});
        const claimed = await c.take(await c.consumer(), 6);
        assert.deepEqual(idsOf(claimed), [...high, ...low, ...lower]);
      },
    },
    {
      name: "takes at most `max`, and the rest next time",
      async run(c) {
        const ids = await c.publish(...Array.from({ length: 7 }, () => ({})));
        const consumer = await c.consumer();
        const request = { queues: [QUEUE], max: 3, wait: c.unit };
        const claimed: string[] = [];
        for (let call = 0; claimed.length < 7 && call < 10; call++) {
          const jobs = await c.within(consumer.claim(request));
          assert.ok(jobs.length <= 3, `${jobs.length} jobs for a max of 3`);
          claimed.push(...idsOf(jobs));
        }
        assert.deepEqual(claimed.sort(), ids.sort());
      },
    },
    {
      name: "drains queues in the order asked for, and only those asked for",
      async run(c) {
        await c.publish({ queue: "a" }, { queue: "b" }, { queue: "c" }, { queue: "a" }, { queue: "b" });
        const consumer = await c.consumer({ queues: ["a", "b", "c"] });
        const queuesOf = async (count: number, queues: string[]) =>
          (await c.take(consumer, count, queues)).map((job) => job.queue);
        assert.deepEqual(await queuesOf(4, ["b", "a"]), ["b", "b", "a", "a"]);
        await c.nothing(consumer, ["b", "a"]);
        assert.deepEqual(await queuesOf(1, ["c"]), ["c"]);
      },
    },
    {
      name: "answers at once without `wait`",
      async run(c) {
        const consumer = await c.consumer();
        assert.deepEqual(await consumer.claim({ queues: [QUEUE], max: 1, wait: 0 }), []);
      },
    },
    {
      name: "never leases one job to two consumers",
      async run(c) {
        const ids = await c.publish(...Array.from({ length: 500 }, () => ({})));
        const consumers = [await c.consumer(), await c.consumer({}, await c.connect())];
        const claimed: string[] = [];
        const work = async (consumer: (typeof consumers)[number]) => {
          for (;;) {
            const jobs = await consumer.claim({ queues: [QUEUE], max: 7, wait: c.place.quiet ?? 0 });
            if (jobs.length === 0) return;
            claimed.push(...idsOf(jobs));
          }
        };
        await c.within(Promise.all(consumers.map(work)), 100 * c.unit);
        assert.deepEqual(claimed.sort(), ids.sort());
      },
    },
  ],
};

export const waiting: CaseGroup = {
  name: "waiting for jobs",
  contracts: ["broker"],
  cases: [
    {
      name: "ends when a job is published through the same connection",
      async run(c) {
        const { claim } = await startWaiting(c);
        const id = await c.publishOne();
        assert.deepEqual(idsOf(await c.within(claim)), [id]);
      },
    },
    {
      name: "ends when a job is published through another connection",
      async run(c) {
        const { claim } = await startWaiting(c);
        const job = c.job();
        await c.part("broker", await c.connect()).publish([job]);
        assert.deepEqual(idsOf(await c.within(claim)), [job.id]);
      },
    },
    {
      name: "ends when a delayed job becomes due",
      requires: ({ delay }) => delay,
      async run(c) {
        const { claim } = await startWaiting(c);
        const id = await c.publishOne({ notBefore: { in: 2 * c.unit } });
        assert.deepEqual(idsOf(await c.within(claim)), [id]);
      },
    },
    {
      name: "ends when another consumer gives a job back",
      async run(c) {
        const holder = await c.consumer();
        const lease = await c.claimedJob(holder);
        const { claim } = await startWaiting(c);
        await holder.settle([{ kind: "release", lease, delay: 0 }]);
        assert.deepEqual(idsOf(await c.within(claim)), [lease.id]);
      },
    },
    {
      name: "ends when a retried job becomes due",
      requires: ({ delay }) => delay,
      async run(c) {
        const holder = await c.consumer();
        const lease = await c.claimedJob(holder);
        const { claim } = await startWaiting(c);
        await holder.settle([{ kind: "retry", lease, delay: 2 * c.unit, history: bytes("h") }]);
        assert.deepEqual(idsOf(await c.within(claim)), [lease.id]);
      },
    },
    {
      name: "ends with nothing when its time has passed, and not before",
      async run(c) {
        const consumer = await c.consumer();
        const before = c.place.clock.now();
        const jobs = await c.within(consumer.claim({ queues: [QUEUE], max: 1, wait: 4 * c.unit }));
        assert.deepEqual(jobs, []);
        const waited = c.place.clock.now() - before;
        assert.ok(waited >= 3.5 * c.unit, `waited ${waited} ms of ${4 * c.unit}`);
      },
    },
    {
      name: "ends with nothing when its signal aborts, and takes nothing afterwards",
      async run(c) {
        const abort = new AbortController();
        const { claim } = await startWaiting(c, { signal: abort.signal });
        abort.abort();
        assert.deepEqual(await c.within(claim), []);
        const id = await c.publishOne();
        assert.equal((await c.takeOne(await c.consumer())).id, id);
      },
    },
    {
      name: "does not start with a signal that has aborted",
      async run(c) {
        const consumer = await c.consumer();
        const claim = consumer.claim({ queues: [QUEUE], max: 1, wait: 1000 * c.unit, signal: AbortSignal.abort() });
        assert.deepEqual(await c.within(claim), []);
      },
    },
    {
      name: "ends with nothing when the consumer closes",
      async run(c) {
        const consumer = await c.consumer();
        const claim = consumer.claim({ queues: [QUEUE], max: 1, wait: 1000 * c.unit });
        await c.advance(1);
        await consumer.close();
        assert.deepEqual(await c.within(claim), []);
      },
    },
    {
      name: "gives each job to one of several who wait",
      async run(c) {
        const claims = await Promise.all([1, 2, 3].map(() => startWaiting(c)));
        const ids = [await c.publishOne(), await c.publishOne(), await c.publishOne()];
        const claimed = await c.within(Promise.all(claims.map(({ claim }) => claim)));
        assert.deepEqual(idsOf(claimed.flat()).sort(), ids.sort());
      },
    },
  ],
};

/** Starts a long claim of one job by a consumer of its own. The claim is wrapped, since awaiting the start must not await it. */
async function startWaiting(c: CaseContext, request: Partial<ClaimRequest> = {}) {
  const consumer = await c.consumer();
  const claim = consumer.claim({ queues: [QUEUE], max: 1, wait: 1000 * c.unit, ...request });
  await c.advance(1);
  return { claim };
}
