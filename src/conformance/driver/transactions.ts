import assert from "node:assert/strict";
import type { ClaimedJob, Consumer, Lease } from "../../contracts/broker.js";
import type { OpenTransaction } from "../place.js";
import type { CaseGroup } from "./case.js";
import { bytes, type CaseContext, idsOf, outcomeOf, QUEUE, sameBytes } from "./context.js";

export const transactions: CaseGroup = {
  name: "transactions",
  contracts: ["broker"],
  cases: [
    {
      name: "make their jobs visible when they commit",
      requires: ({ transactions }) => transactions,
      async run(c) {
        const { handle, commit } = await begin(c);
        const jobs = [c.job(), c.job()];
        assert.deepEqual(await c.broker.publish(jobs, handle), ["created", "created"]);
        await commit();
        assert.deepEqual(idsOf(await c.take(await c.consumer(), 2)).sort(), idsOf(jobs).sort());
      },
    },
    {
      name: "leave nothing when they roll back",
      requires: ({ transactions }) => transactions,
      async run(c) {
        const { handle, rollback } = await begin(c);
        const job = c.job();
        await c.broker.publish([job], handle);
        await rollback();
        const consumer = await c.consumer();
        await c.nothing(consumer);
        assert.deepEqual(await c.broker.publish([job]), ["created"]);
      },
    },
    {
      name: "wake a claim that waits when they commit",
      requires: ({ transactions }) => transactions,
      async run(c) {
        const consumer = await c.consumer();
        const claim = consumer.claim({ queues: [QUEUE], max: 1, wait: 20 * c.unit });
        const { handle, commit } = await begin(c);
        const job = c.job();
        await c.broker.publish([job], handle);
        await c.advance(c.unit);
        await commit();
        assert.deepEqual(idsOf(await c.within(claim)), [job.id]);
      },
    },
    {
      name: "hold one batch after another, and notice what they hold already",
      requires: ({ transactions, idempotentIds }) => transactions && idempotentIds,
      async run(c) {
        const { handle, commit } = await begin(c);
        const job = c.job({ id: "invoice-7", unique: true });
        assert.deepEqual(await c.broker.publish([job], handle), ["created"]);
        assert.deepEqual(await c.broker.publish([job, c.job()], handle), ["duplicate", "created"]);
        await commit();
        assert.deepEqual(await c.broker.publish([job]), ["duplicate"]);
        await c.take(await c.consumer(), 2);
      },
    },
    {
      name: "settle jobs when they commit",
      requires: ({ transactions }) => transactions,
      async run(c) {
        const consumer = await c.consumer();
        const [first, second] = await claimTwo(c, consumer);
        const { handle, commit } = await begin(c);
        const settled = await consumer.settle(
          [
            { kind: "complete", lease: first },
            { kind: "retry", lease: second, delay: 0, history: bytes("h") },
          ],
          handle,
        );
        assert.deepEqual(settled, ["settled", "settled"]);
        await commit();
        assert.deepEqual(await c.within(consumer.extend([first, second])), ["lost", "lost"]);
        const again = await c.takeOne(consumer);
        assert.equal(again.id, second.id);
        assert.equal(again.attempt, 2);
        await c.complete(consumer, [again]);
        await c.nothing(consumer);
      },
    },
    {
      name: "leave jobs with their worker when they roll back",
      requires: ({ transactions }) => transactions,
      async run(c) {
        const consumer = await c.consumer();
        const lease = await c.claimedJob(consumer);
        const { handle, rollback } = await begin(c);
        assert.deepEqual(await consumer.settle([{ kind: "complete", lease }], handle), ["settled"]);
        await rollback();
        assert.deepEqual(await c.within(consumer.extend([lease])), ["held"]);
        await c.complete(consumer, [lease]);
        await c.nothing(consumer);
      },
    },
    {
      name: "settle nothing whose lease is lost",
      requires: ({ transactions }) => transactions,
      async run(c) {
        const consumer = await c.consumer();
        const [gone, held] = await claimTwo(c, consumer);
        await c.complete(consumer, [gone]);
        const { handle, commit } = await begin(c);
        const settled = await consumer.settle(
          [
            { kind: "complete", lease: gone },
            { kind: "complete", lease: held },
          ],
          handle,
        );
        assert.deepEqual(settled, ["lost", "settled"]);
        await commit();
        await c.nothing(consumer);
      },
    },
  ],
};

/** Outcomes are kept, or not, together with the settlement that they came with. */
export const outcomesOfTransactions: CaseGroup = {
  name: "outcomes of transactions",
  contracts: ["broker", "backend"],
  cases: [
    {
      name: "are there after the commit",
      requires: ({ transactions, atomicOutcomes }) => transactions && atomicOutcomes,
      async run(c) {
        const { lease, commit } = await settledWithOutcome(c);
        await commit();
        const [outcome] = await c.backend.read([lease.id]);
        sameBytes(outcome?.body, bytes("an outcome"));
      },
    },
    {
      name: "are gone after a rollback",
      requires: ({ transactions, atomicOutcomes }) => transactions && atomicOutcomes,
      async run(c) {
        const { lease, rollback } = await settledWithOutcome(c);
        await rollback();
        assert.deepEqual(await c.backend.read([lease.id]), [undefined]);
      },
    },
  ],
};

async function settledWithOutcome(c: CaseContext): Promise<OpenTransaction & { readonly lease: Lease }> {
  const consumer = await c.consumer();
  const lease = await c.claimedJob(consumer);
  const transaction = await begin(c);
  const settlement = { kind: "complete", lease, outcome: outcomeOf(lease.id) } as const;
  assert.deepEqual(await consumer.settle([settlement], transaction.handle), ["settled"]);
  return { ...transaction, lease };
}

async function claimTwo(c: CaseContext, consumer: Consumer): Promise<[ClaimedJob, ClaimedJob]> {
  return [await c.claimedJob(consumer), await c.claimedJob(consumer)];
}

async function begin(c: CaseContext): Promise<OpenTransaction> {
  assert.ok(c.place.begin, "the driver claims transactions, so its place needs `begin`");
  return c.place.begin();
}
