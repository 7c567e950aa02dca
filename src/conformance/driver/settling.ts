import assert from "node:assert/strict";
import type { Lease, Settlement } from "../../contracts/broker.js";
import type { CaseGroup } from "./case.js";
import { bytes, type CaseContext, outcomeOf, sameBytes } from "./context.js";

const HISTORY = bytes("what happened so far");

export const settling: CaseGroup = {
  name: "settling",
  contracts: ["broker"],
  cases: [
    {
      name: "`complete` lets the job go for good",
      async run(c) {
        const consumer = await c.consumer();
        const job = await c.claimedJob(consumer);
        assert.deepEqual(await consumer.settle([{ kind: "complete", lease: job }]), ["settled"]);
        await c.nothing(consumer);
        await c.advance(2 * c.unit);
        await c.nothing(consumer);
      },
    },
    {
      name: "`retry` runs the job again after its delay and not before, with its queue, priority, body and history",
      async run(c) {
        const consumer = await c.consumer();
        const priority = c.capabilities.priority ? 3 : 0;
        const lease = await c.claimedJob(consumer, { priority, body: bytes("the body") });
        await consumer.settle([{ kind: "retry", lease, delay: 4 * c.unit, history: HISTORY }]);
        await c.advance(2 * c.unit);
        await c.nothing(consumer);
        await c.advance(2 * c.unit);
        const again = await c.takeOne(consumer);
        assert.deepEqual([again.id, again.queue, again.priority], [lease.id, lease.queue, priority]);
        assert.deepEqual([again.attempt, again.losses], [2, 0]);
        sameBytes(again.body, bytes("the body"));
        sameBytes(again.history, HISTORY);
      },
    },
    {
      name: "`retry` without a delay runs the job again at once",
      async run(c) {
        const consumer = await c.consumer();
        const lease = await c.claimedJob(consumer);
        await consumer.settle([{ kind: "retry", lease, delay: 0, history: HISTORY }]);
        assert.equal((await c.takeOne(consumer)).attempt, 2);
      },
    },
    {
      name: "n failing claims are attempts 1 to n, with the newest history",
      async run(c) {
        const consumer = await c.consumer();
        const id = await c.publishOne();
        for (let attempt = 1; attempt <= 12; attempt++) {
          const lease = await c.takeOne(consumer);
          assert.deepEqual([lease.id, lease.attempt, lease.losses], [id, attempt, 0]);
          if (attempt > 1) sameBytes(lease.history, bytes(`after ${attempt - 1}`));
          await consumer.settle([{ kind: "retry", lease, delay: 0, history: bytes(`after ${attempt}`) }]);
        }
      },
    },
    {
      name: "`dead` takes the job out of its queue",
      async run(c) {
        const consumer = await c.consumer();
        const lease = await c.claimedJob(consumer);
        const settlement = { kind: "dead", lease, reason: "failed", history: HISTORY } as const;
        assert.deepEqual(await consumer.settle([settlement]), ["settled"]);
        await c.advance(2 * c.unit);
        await c.nothing(consumer);
      },
    },
    {
      name: "`release` gives the job back as if it had not been claimed",
      async run(c) {
        const consumer = await c.consumer();
        const lease = await c.claimedJob(consumer);
        await consumer.settle([{ kind: "release", lease, delay: 0 }]);
        const again = await c.takeOne(consumer);
        assert.deepEqual([again.id, again.attempt, again.losses, again.history], [lease.id, 1, 0, undefined]);
      },
    },
    {
      name: "`release` can wait, and can leave a history",
      async run(c) {
        const consumer = await c.consumer();
        const lease = await c.claimedJob(consumer);
        await consumer.settle([{ kind: "release", lease, delay: 4 * c.unit, history: HISTORY }]);
        await c.advance(2 * c.unit);
        await c.nothing(consumer);
        await c.advance(2 * c.unit);
        const again = await c.takeOne(consumer);
        assert.equal(again.attempt, 1);
        sameBytes(again.history, HISTORY);
      },
    },
    {
      name: "`release` without a history keeps the earlier one",
      async run(c) {
        const consumer = await c.consumer();
        const lease = await c.claimedJob(consumer);
        await consumer.settle([{ kind: "retry", lease, delay: 0, history: HISTORY }]);
        await consumer.settle([{ kind: "release", lease: await c.takeOne(consumer), delay: 0 }]);
        const again = await c.takeOne(consumer);
        assert.equal(again.attempt, 2);
        sameBytes(again.history, HISTORY);
      },
    },
    {
      name: "answers a mixed batch in the order given",
      async run(c) {
        const consumer = await c.consumer();
        await c.publish({}, {}, {}, {});
        const [a, b, d, e] = await c.take(consumer, 4);
        assert.ok(a && b && d && e);
        await c.complete(consumer, [b]);
        const statuses = await consumer.settle([
          { kind: "complete", lease: a },
          { kind: "complete", lease: b },
          { kind: "retry", lease: d, delay: 0, history: HISTORY },
          { kind: "dead", lease: e, reason: "rejected", history: HISTORY },
        ]);
        assert.deepEqual(statuses, ["settled", "lost", "settled", "settled"]);
        assert.deepEqual(await consumer.settle([]), []);
      },
    },
  ],
};

export const outcomesOfSettling: CaseGroup = {
  name: "outcomes of settling",
  contracts: ["broker", "backend"],
  cases: [
    {
      name: "`complete` stores its outcome in the same step",
      requires: ({ atomicOutcomes }) => atomicOutcomes,
      async run(c) {
        const consumer = await c.consumer();
        const lease = await c.claimedJob(consumer);
        const outcome = outcomeOf(lease.id, { body: bytes("42") });
        await consumer.settle([{ kind: "complete", lease, outcome }]);
        const [kept] = await c.backend.read([lease.id]);
        assert.deepEqual([kept?.state, kept?.attempt], ["completed", 1]);
        sameBytes(kept?.body, bytes("42"));
      },
    },
    {
      name: "`dead` stores its outcome in the same step",
      requires: ({ atomicOutcomes }) => atomicOutcomes,
      async run(c) {
        const consumer = await c.consumer();
        const lease = await c.claimedJob(consumer);
        const outcome = outcomeOf(lease.id, { state: "dead", body: bytes("why") });
        await consumer.settle([{ kind: "dead", lease, reason: "failed", history: HISTORY, outcome }]);
        const [kept] = await c.backend.read([lease.id]);
        assert.equal(kept?.state, "dead");
        sameBytes(kept?.body, bytes("why"));
      },
    },
  ],
};

export const fencing: CaseGroup = {
  name: "fencing",
  contracts: ["broker"],
  cases: [
    {
      name: "a second settle of one claim changes nothing",
      run: (c) =>
        assertFenced(c, async (consumer, lease) => {
          await consumer.settle([{ kind: "retry", lease, delay: 0, history: bytes("the first word") }]);
        }),
    },
    {
      name: "a settle after the job was claimed again changes nothing",
      run: (c) =>
        assertFenced(c, async (consumer, lease) => {
          await consumer.settle([{ kind: "release", lease, delay: 0, history: bytes("the first word") }]);
          const again = await c.takeOne(consumer);
          assert.equal(again.attempt, lease.attempt);
          await consumer.settle([{ kind: "release", lease: again, delay: 0 }]);
        }),
    },
    {
      name: "a settle while somebody else holds the job changes nothing, and the holder can still settle",
      requires: ({ leases }) => leases === "timed",
      async run(c) {
        const slow = await c.consumer({ lease: 2 * c.unit });
        const stale = await c.claimedJob(slow);
        await loseLease(c, 3 * c.unit);
        const holder = await c.consumer({}, await c.connect());
        const held = await c.takeOne(holder);
        for (const settlement of everyKind(stale)) assert.deepEqual(await slow.settle([settlement]), ["lost"]);
        assert.deepEqual(await holder.extend([held]), ["held"]);
        await c.complete(holder, [held]);
      },
    },
    {
      name: "a settle after the lease passed and was swept changes nothing",
      requires: ({ leases }) => leases === "timed",
      run: (c) =>
        assertFenced(c, async (consumer, lease) => {
          await consumer.settle([{ kind: "retry", lease, delay: 0, history: bytes("the first word") }]);
          await c.takeOne(await c.consumer({ lease: 2 * c.unit }));
          await loseLease(c, 3 * c.unit);
        }),
    },
    {
      name: "a settle after the job is gone changes nothing",
      async run(c) {
        const consumer = await c.consumer();
        const lease = await c.claimedJob(consumer);
        await c.complete(consumer, [lease]);
        for (const settlement of everyKind(lease)) assert.deepEqual(await consumer.settle([settlement]), ["lost"]);
        await c.nothing(consumer);
      },
    },
    {
      name: "a settle that is lost stores no outcome",
      requires: ({ atomicOutcomes }) => atomicOutcomes,
      async run(c) {
        const consumer = await c.consumer();
        const lease = await c.claimedJob(consumer);
        await consumer.settle([{ kind: "retry", lease, delay: 0, history: HISTORY }]);
        const outcome = outcomeOf(lease.id);
        assert.deepEqual(await consumer.settle([{ kind: "complete", lease, outcome }]), ["lost"]);
        const dead: Settlement = { kind: "dead", lease, reason: "failed", history: HISTORY, outcome };
        assert.deepEqual(await consumer.settle([dead]), ["lost"]);
        assert.deepEqual(await c.backend.read([lease.id]), [undefined]);
      },
    },
    {
      name: "an extend with an outdated lease is told that it is lost",
      async run(c) {
        const consumer = await c.consumer();
        const stale = await c.claimedJob(consumer);
        await consumer.settle([{ kind: "retry", lease: stale, delay: 0, history: HISTORY }]);
        const held = await c.takeOne(consumer);
        assert.deepEqual(await consumer.extend([stale, held, stale]), ["lost", "held", "lost"]);
      },
    },
  ],
};

function everyKind(lease: Lease): Settlement[] {
  const history = bytes("the last word");
  return [
    { kind: "complete", lease },
    { kind: "retry", lease, delay: 0, history },
    { kind: "dead", lease, reason: "failed", history },
    { kind: "release", lease, delay: 0, history },
  ];
}

/**
 * Claims a job, lets `lose` take its lease away and leave the job in its queue with the history "the first word", and
 * proves that no settle with that lease changes it.
 */
async function assertFenced(
  c: CaseContext,
  lose: (consumer: Awaited<ReturnType<CaseContext["consumer"]>>, lease: Lease) => Promise<void>,
): Promise<void> {
  const consumer = await c.consumer();
  const lease = await c.claimedJob(consumer);
  await lose(consumer, lease);
  for (const settlement of everyKind(lease)) {
    assert.deepEqual(await consumer.settle([settlement]), ["lost"], settlement.kind);
  }
  const job = await c.takeOne(consumer);
  assert.equal(job.id, lease.id);
  sameBytes(job.history, bytes("the first word"));
  await c.complete(consumer, [job]);
}

async function loseLease(c: CaseContext, ms: number): Promise<void> {
  await c.advance(ms);
  assert.deepEqual(await c.broker.sweep({ max: 10, delay: 0, jitter: 0 }), { recovered: 1 });
}
